"""The verdict: what a study found and how sure it is, in sentences of plain text (not HTML)."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence

from assay.recipe.study import Study, level_names
from assay.results import statistics
from assay.results.compare import Comparison, Comparisons
from assay.results.formats import p_value
from assay.results.metrics import bounds, comparative, difference_text, superlative, value_text
from assay.results.metrics import label as metric_label

Name = Callable[[str], str]


def short_names(study: Study) -> dict[str, str]:
    """Variant → what a sentence calls it: the level alone (``tanh``) where the one factor's levels are words."""
    return {name: isolated(text) for name, text in level_names(study).items()}


def isolated(name: str) -> str:
    """``name`` without control characters, and with right-to-left script kept from turning the sentence around."""
    clean = "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs") else c for c in name)
    clean = re.sub(r"[\u202a-\u202e\u2066-\u2069]", "", clean)
    turned = any(unicodedata.bidirectional(c) in ("R", "AL", "AN") for c in clean)
    return f"\u2068{clean}\u2069" if turned else clean


def verdict(
    study: Study, metric: str, values: Mapping[str, Mapping[int, float]], comparisons: Comparisons | None
) -> str:
    """The answer in a few sentences: which variant is best, which it beats for sure, which it cannot be told from.

    ``comparisons`` are those against the best variant; None when no run has finished. Half the width of the 95 %
    interval follows ±.
    """
    if comparisons is None:
        return "No run has finished yet."
    name = short_names(study).__getitem__
    rivals = [c for c in comparisons if values[c.variant]]
    best = comparisons.reference
    mean = statistics.mean_interval(list(values[best].values()), within=bounds(metric))
    standing = "" if mean.mean is None else value_text(metric, mean.mean, mean.low, mean.high)
    if not rivals:
        alone = "; no other variant has a value" if len(values) > 1 else ""
        return f"{name(best)}: {metric_label(metric)} {standing}{alone}."
    if len(rivals) == 1 and rivals[0].difference is not None:
        text = _pair(rivals[0], name, comparisons.family)
    else:
        text = " ".join(
            [f"{name(best)} has {superlative(metric)} ({standing}).", *_standings(rivals, name, comparisons.family)]
        )
    one_pair = [c for c in rivals if c.method.startswith("bootstrap")]
    if one_pair and len(one_pair) == len(rivals):
        text += f" This speaks of these trained networks: {_once(study)}, and training again may change it."
    elif one_pair:
        names = listed([name(c.variant) for c in one_pair])
        text += f" One pair of runs ({names}) speaks of those networks, not of training again."
    return text


def _once(study: Study) -> str:
    """Why there is one pair of runs."""
    seeds = len(study.seed_list)
    return "seeds were not varied" if seeds == 1 else f"of {seeds} seeds one pair of runs is left"


def _pair(c: Comparison, name: Name, family: int) -> str:
    """The verdict on two variants, the better first."""
    first, second = (c.variant, c.reference) if c.decided == "better" else (c.reference, c.variant)
    if c.decided in ("better", "worse"):
        return f"{name(first)} {comparative(c.metric)} {name(second)} by {_size(c)}."
    if c.decided == "equal":
        return f"{name(first)} and {name(second)} do not differ in {c.metric}."
    return f"Cannot tell {name(first)} from {name(second)} ({_size(c)}{_corrected(c, family)}){_more(c)}."


def _standings(rivals: Sequence[Comparison], name: Name, family: int) -> list[str]:
    """The best variant's relation to each of the others, one sentence for each kind of relation."""
    than, kinds = comparative(rivals[0].metric), dict[str, list[Comparison]]()
    for c in sorted(rivals, key=lambda c: -abs(c.difference or 0)):
        kinds.setdefault("unpaired" if c.difference is None else c.decided, []).append(c)
    sentences = []
    if beaten := kinds.get("worse"):
        sentences.append(f"It {than} {listed(shortened([f'{name(c.variant)} by {_size(c)}' for c in beaten]))}.")
    if equal := kinds.get("equal"):
        sentences.append(f"It does not differ in this from {listed(shortened([name(c.variant) for c in equal]))}.")
    if unsure := kinds.get("cannot tell"):
        shown = [f"{name(c.variant)} ({_size(c)}{_corrected(c, family)}{_more(c)})" for c in reversed(unsure)]
        sentences.append(f"It cannot be told from {listed(shortened(shown), 'or')}.")
    for c in kinds.get("better", []):
        sentences.append(f"Over the seeds they share, {name(c.variant)} {than} it by {_size(c)}.")
    if unpaired := kinds.get("unpaired"):
        sentences.append(
            f"No seed has finished both in it and in {listed(shortened([name(c.variant) for c in unpaired]), 'or')}."
        )
    return sentences


def _size(c: Comparison) -> str:
    return "" if c.difference is None else difference_text(c.metric, c.difference, c.low, c.high)


def _corrected(c: Comparison, family: int) -> str:
    """Why it cannot be told although the interval, which is not corrected, excludes 0."""
    if c.p_holm is None or c.low is None or c.high is None or c.low <= 0 <= c.high:
        return ""
    return f", p {p_value(c.p_holm)}" + (f" after Holm's correction over {family} pairs" if family > 1 else "")


def _more(c: Comparison) -> str:
    """What would settle it."""
    if c.method == "single runs":
        return "; one run of each says nothing about others"
    if c.method.startswith("bootstrap") or not c.difference:
        return ""
    if c.more_seeds is None:
        return "; more than 1000 more seeds would be needed"
    return f"; about {c.more_seeds} more {'seed' if c.more_seeds == 1 else 'seeds'} would"


def shortened(parts: Sequence[str], most: int = 4) -> list[str]:
    """At most ``most`` parts: of a longer list the first ones and how many others there are."""
    return [*parts[: most - 1], f"{len(parts) - most + 1} others"] if len(parts) > most else list(parts)


def listed(parts: Sequence[str], word: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return f" {word} ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
