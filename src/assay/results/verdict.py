"""The verdict: what a study found and how sure it is, in sentences of plain text (not HTML)."""

from collections.abc import Callable, Mapping, Sequence

from assay.recipe.study import Study
from assay.results import statistics
from assay.results.comparison import Comparison, Comparisons
from assay.results.metrics import bounds, comparative, difference_text, known, superlative, value_text
from assay.results.metrics import label as metric_label
from assay.results.names import short_names

Name = Callable[[str], str]


def verdict(
    study: Study,
    metric: str,
    values: Mapping[str, Mapping[int, float]],
    comparisons: Comparisons | None,
    same: Sequence[Sequence[str]] = (),
) -> str:
    """The answer in a few sentences: which variant to use, which may still be as good, which are worse and by how much.

    ``comparisons`` are those against the best variant, or against the reference that the study names; None when no run
    has finished. Half the width of the interval follows ±. ``same``: groups of variants that are one network.
    """
    if comparisons is None:
        return "No run has finished yet."
    name = short_names(study).__getitem__
    first = comparisons.reference
    twins = {variant for group in same if first in group for variant in group}
    rivals = [c for c in comparisons if values[c.variant]]
    mean = statistics.mean_interval(list(values[first].values()), within=bounds(metric))
    if not rivals:
        standing = "" if mean.mean is None else value_text(metric, mean.mean, mean.low, mean.high)
        alone = "; no other variant has a value" if len(values) > 1 else ""
        return f"{name(first)}: {metric_label(metric)} {standing}{alone}."
    standing = "" if mean.mean is None else f" ({value_text(metric, mean.mean)})"
    rest = _of_networks(study, rivals, name) + _unchanged(metric, rivals, values)
    rest += "".join(f" {_same([name(variant) for variant in group])}" for group in same)
    others = [c for c in rivals if c.variant not in twins or c.difference]
    if not others:
        return rest.lstrip()
    if len(rivals) == 1 and rivals[0].difference is not None:
        return _pair(rivals[0], name) + rest
    if comparisons.is_named:
        return _against(others, f"Against {name(first)}{standing}", name) + rest
    return _answer(others, _head(others, name(first), standing) + _but(others, name), name) + rest


def _head(rivals: Sequence[Comparison], best: str, standing: str) -> str:
    """What the best variant is: what to use, where the metric is one of quality and recipes were compared."""
    metric = rivals[0].metric
    if not _is_quality(metric):
        return f"{best} has {superlative(metric)}{standing}"
    if all(map(_is_one_pair, rivals)):
        return f"Of these networks that of {best} has {superlative(metric)}{standing}"
    if any(c.decided == "better" for c in rivals):
        return f"{best} comes first{standing}"
    if not any(c.decided in ("worse", "equal") for c in rivals):
        return f"Cannot tell which is best: {best} comes first{standing}"
    return f"Use {best}{standing}"


def _but(rivals: Sequence[Comparison], name: Name) -> str:
    """Those that beat what comes first: other seeds are behind its mean, or other images chose it."""
    better = [f"{name(c.variant)} {comparative(c.metric)} it by {size(c)}" for c in _kinds(rivals).get("better", [])]
    return f", but over the seeds they share {listed(shortened(better))}" if better else ""


def _is_quality(metric: str) -> bool:
    """Whether it tells which variant to use: what is learned by heart does not."""
    return known(metric).of == "answers" and not metric.startswith("train_")


def _is_one_pair(c: Comparison) -> bool:
    """Whether it compares two networks, not recipes."""
    return c.method.startswith("bootstrap")


def _of_networks(study: Study, rivals: Sequence[Comparison], name: Name) -> str:
    """What one pair of runs speaks of, and what is missing to speak of more."""
    alone = [c for c in rivals if _is_one_pair(c)]
    if not alone:
        return ""
    if len(alone) < len(rivals):
        names = listed(shortened([name(c.variant) for c in alone]))
        return f" One pair of runs ({names}) speaks of those networks, not of the recipes."
    seeds = len(study.seed_list)
    why = "seeds were not varied" if seeds == 1 else f"of {seeds} seeds one pair of runs is left"
    return (
        f" This speaks of these trained networks, not of their recipes: {why}, and training again may change it. "
        "Two seeds of each are the least that speak of recipes, three or more are better."
    )


def _pair(c: Comparison, name: Name) -> str:
    """The verdict on two variants, the better first."""
    first, second = (c.variant, c.reference) if c.decided == "better" else (c.reference, c.variant)
    one, other = (f"the network of {name(v)}" if _is_one_pair(c) else name(v) for v in (first, second))
    if c.decided in ("better", "worse"):
        text = f"{one} {comparative(c.metric)} {other} by {size(c)}."
    elif c.decided == "equal" and c.low == c.high == 0:
        text = f"{one} and {other} do not differ in {metric_label(c.metric)}."
    elif c.decided == "equal":
        text = f"{one} and {other} are equal for practical purposes ({size(c)})."
    else:
        text = f"cannot tell {one} from {other} ({size(c)}{_few(c)}){_single([c])}."
    return text if text.startswith(name(first)) else text[0].upper() + text[1:]


def _unchanged(metric: str, rivals: Sequence[Comparison], values: Mapping[str, Mapping[int, float]]) -> str:
    """That the seed does not change the metric, which none but the recipe was thought to leave alone."""
    seen = [list(values[variant].values()) for variant in {v for c in rivals for v in (c.variant, c.reference)}]
    is_still = all(len(found) > 1 and len(set(found)) == 1 for found in seen)
    if not is_still or all(c.method == "exact" for c in rivals):
        return ""
    return f" The seed does not change {metric_label(metric)} in any variant, so there is no error to go by."


def _same(names: Sequence[str]) -> str:
    return f"{listed(names)} are the same network in every seed: all their numbers agree to the last digit."


def _answer(rivals: Sequence[Comparison], head: str, name: Name) -> str:
    """The best variant, those that may still be as good, those that are worse; then what could not be paired."""
    kinds, quality = _kinds(rivals), _is_quality(rivals[0].metric)
    parts = [head]
    if unsure := kinds.get("cannot tell"):
        parts.append(f"{_each(unsure, name)} may {'still be as good' if quality else 'equal it'}{_single(unsure)}")
    if equal := kinds.get("equal"):
        parts.append(_equals(equal, name))
    if worse := kinds.get("worse"):
        shown = shortened([f"{name(c.variant)} by {size(c)}" for c in worse])
        of_others = quality and (len(parts) > 1 or "better" in kinds)
        subject = name(worse[0].reference) if len(parts) > 1 else "it"
        than = "the others are worse:" if of_others else f"{subject} {comparative(worse[0].metric)}"
        is_one = of_others and len(worse) == 1
        parts.append(f"{name(worse[0].variant)} is worse by {size(worse[0])}" if is_one else f"{than} {listed(shown)}")
    text = "; ".join(parts) + "."
    if unpaired := kinds.get("unpaired"):
        names = listed(shortened([name(c.variant) for c in unpaired]), "or")
        text += f" No seed has finished both in it and in {names}."
    return text


def _against(rivals: Sequence[Comparison], head: str, name: Name) -> str:
    """What each variant is against the reference that the study names."""
    kinds, parts = _kinds(rivals), list[str]()
    for decided in ("better", "worse"):
        if found := kinds.get(decided):
            shown = shortened([f"{name(c.variant)} by {size(c)}" for c in found])
            one = f"{name(found[0].variant)} is {decided} by {size(found[0])}"
            parts.append(one if len(found) == 1 else f"{decided} are {listed(shown)}")
    if equal := kinds.get("equal"):
        parts.append(_equals(equal, name))
    if unsure := kinds.get("cannot tell"):
        parts.append(f"{_each(unsure, name)} cannot be told from it{_single(unsure)}")
    if unpaired := kinds.get("unpaired"):
        names = listed(shortened([name(c.variant) for c in unpaired]), "or")
        parts.append(f"no seed has finished both in it and in {names}")
    return f"{head}: {'; '.join(parts)}."


def _kinds(rivals: Sequence[Comparison]) -> dict[str, list[Comparison]]:
    """By decision, the smallest difference first."""
    kinds = dict[str, list[Comparison]]()
    for c in sorted(rivals, key=lambda c: abs(c.difference or 0)):
        kinds.setdefault("unpaired" if c.difference is None else c.decided, []).append(c)
    return kinds


def _equals(equal: Sequence[Comparison], name: Name) -> str:
    """Which do not differ at all, or not for practical purposes."""
    if all(c.low == c.high == 0 for c in equal):
        names = listed(shortened([name(c.variant) for c in equal]))
        return f"{names} {'does' if len(equal) == 1 else 'do'} not differ from it in this"
    return f"{_each(equal, name)} {'is' if len(equal) == 1 else 'are'} as good for practical purposes"


def _each(comparisons: Sequence[Comparison], name: Name) -> str:
    """``tanh (1.2 ± 3.0 points less) and elu (…)``."""
    return listed(shortened([f"{name(c.variant)} ({_beside(c)})" for c in comparisons]))


def size(c: Comparison) -> str:
    """The difference without its sign, half the width of its interval after ± unless that tells nothing."""
    ends = (None, None) if c.is_too_wide else (c.low, c.high)
    return "" if c.difference is None else difference_text(c.metric, c.difference, *ends)


def _beside(c: Comparison) -> str:
    """The same with the side on which it lies of the reference."""
    side = f" {'less' if c.difference < 0 else 'more'}" if c.difference else ""
    return f"{size(c)}{side}{_few(c)}"


def _few(c: Comparison) -> str:
    return ", too few seeds to tell" if c.is_too_wide else ""


def _single(comparisons: Sequence[Comparison]) -> str:
    is_one = any(c.method == "single runs" for c in comparisons)
    return ": one run of each says nothing about others" if is_one else ""


def shortened(parts: Sequence[str], most: int = 4) -> list[str]:
    """At most ``most`` parts: of a longer list the first ones and how many others there are."""
    return [*parts[: most - 1], f"{len(parts) - most + 1} others"] if len(parts) > most else list(parts)


def listed(parts: Sequence[str], word: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return f" {word} ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
