"""The verdict: what a study found and how sure it is, in sentences of plain text (not HTML)."""

from collections.abc import Callable, Mapping, Sequence

from assay.language.speech import later, plural, say
from assay.recipe.study import Study
from assay.results.comparing.comparison import Comparison, Comparisons
from assay.results.metrics import bounds, comparative, difference_text, known, superlative, value_text
from assay.results.metrics import label as metric_label
from assay.results.names import listed, short_names, shortened
from assay.results.statistics import intervals

Name = Callable[[str], str]

AGAINST = {
    "better": (later("{name} is better by {size}"), later("better are {those}")),
    "worse": (later("{name} is worse by {size}"), later("worse are {those}")),
}
"""Decision → what is said of one variant, and of several."""


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
        return say("No run has finished yet.")
    name = short_names(study).__getitem__
    first = comparisons.reference
    twins = {variant for group in same if first in group for variant in group}
    rivals = [c for c in comparisons if values[c.variant]]
    mean = intervals.mean_interval(list(values[first].values()), within=bounds(metric))
    if not rivals:
        standing = "" if mean.mean is None else value_text(metric, mean.mean, mean.low, mean.high)
        alone = say("; no other variant has a value") if len(values) > 1 else ""
        return f"{name(first)}: {metric_label(metric)} {standing}{alone}."
    standing = "" if mean.mean is None else f" ({value_text(metric, mean.mean)})"
    after = [*_of_networks(study, rivals, name), *_unchanged(metric, rivals, values)]
    rest = "".join(f" {one}" for one in [*after, *(_same([name(variant) for variant in group]) for group in same)])
    others = [c for c in rivals if c.variant not in twins or c.difference]
    if not others:
        return rest.lstrip()
    if len(rivals) == 1 and rivals[0].difference is not None:
        return _pair(rivals[0], name) + rest
    if comparisons.is_named:
        return (
            _against(others, say("Against {reference}{standing}", reference=name(first), standing=standing), name)
            + rest
        )
    return _answer(others, _head(others, name(first), standing) + _but(others, name), name) + rest


def _head(rivals: Sequence[Comparison], best: str, standing: str) -> str:
    """What the best variant is: what to use, where the metric is one of quality and recipes were compared."""
    metric = rivals[0].metric
    if not _is_quality(metric):
        return superlative(metric, best) + standing
    if all(map(_is_one_pair, rivals)):
        return superlative(metric, say("Of these networks that of {best}", best=best)) + standing
    if any(c.decided == "better" for c in rivals):
        return say("{best} comes first", best=best) + standing
    if not any(c.decided in ("worse", "equal") for c in rivals):
        return say("Cannot tell which is best: {best} comes first", best=best) + standing
    return say("Use {best}", best=best) + standing


def _but(rivals: Sequence[Comparison], name: Name) -> str:
    """Those that beat what comes first: other seeds are behind its mean, or other images chose it."""
    better = [_by(c, comparative(c.metric, name(c.variant), say("it"))) for c in _kinds(rivals).get("better", [])]
    return say(", but over the seeds they share {those}", those=listed(shortened(better))) if better else ""


def _is_quality(metric: str) -> bool:
    """Whether it tells which variant to use: what is learned by heart does not."""
    return known(metric).of == "answers" and not metric.startswith("train_")


def _is_one_pair(c: Comparison) -> bool:
    """Whether it compares two networks, not recipes."""
    return c.method.startswith("bootstrap")


def _of_networks(study: Study, rivals: Sequence[Comparison], name: Name) -> list[str]:
    """What one pair of runs speaks of, and what is missing to speak of more."""
    alone = [c for c in rivals if _is_one_pair(c)]
    if not alone:
        return []
    if len(alone) < len(rivals):
        names = listed(shortened([name(c.variant) for c in alone]))
        return [say("One pair of runs ({names}) speaks of those networks, not of the recipes.", names=names)]
    seeds = len(study.seed_list)
    left = say("of {n} seeds one pair of runs is left", n=seeds)
    return [
        say(
            "This speaks of these trained networks, not of their recipes: {why}, and training again may change it. "
            "Two seeds of each are the least that speak of recipes, three or more are better.",
            why=say("seeds were not varied") if seeds == 1 else left,
        )
    ]


def _pair(c: Comparison, name: Name) -> str:
    """The verdict on two variants, the better first."""
    first, second = (c.variant, c.reference) if c.decided == "better" else (c.reference, c.variant)
    is_one = _is_one_pair(c)
    one, other = (say("the network of {name}", name=name(v)) if is_one else name(v) for v in (first, second))
    if c.decided in ("better", "worse"):
        text = _by(c, comparative(c.metric, one, other)) + "."
    elif c.decided == "equal" and c.low == c.high == 0:
        text = say("{one} and {other} do not differ in {metric}.", one=one, other=other, metric=metric_label(c.metric))
    elif c.decided == "equal":
        text = (
            say("{one} and {other} are equal for practical purposes ({size})", one=one, other=other, size=size(c)) + "."
        )
    else:
        told = say("cannot tell {one} from {other} ({size})", one=one, other=other, size=f"{size(c)}{_few(c)}")
        text = f"{told}{_single([c])}."
    return text if text.startswith(name(first)) else text[0].upper() + text[1:]


def _unchanged(metric: str, rivals: Sequence[Comparison], values: Mapping[str, Mapping[int, float]]) -> list[str]:
    """That no seed changed the metric, by chance among few images or since none can, though it is not the recipe's."""
    seen = [list(values[variant].values()) for variant in {v for c in rivals for v in (c.variant, c.reference)}]
    is_still = all(len(found) > 1 and len(set(found)) == 1 for found in seen)
    if not is_still or all(c.method == "exact" for c in rivals):
        return []
    metric = metric_label(metric)
    return [say("All seeds of a variant gave the same {metric}, so there is no error to go by.", metric=metric)]


def _same(names: Sequence[str]) -> str:
    return say(
        "{names} are the same network in every seed: all their numbers agree to the last digit.", names=listed(names)
    )


def _answer(rivals: Sequence[Comparison], head: str, name: Name) -> str:
    """The best variant, those that may still be as good, those that are worse; then what could not be paired."""
    kinds, quality = _kinds(rivals), _is_quality(rivals[0].metric)
    parts = [head]
    if unsure := kinds.get("cannot tell"):
        each = _each(unsure, name)
        may = say("{each} may still be as good", each=each) if quality else say("{each} may equal it", each=each)
        parts.append(may + _single(unsure))
    if equal := kinds.get("equal"):
        parts.append(_equals(equal, name))
    if worse := kinds.get("worse"):
        parts.append(_worse(worse, name, len(parts) > 1, quality and (len(parts) > 1 or "better" in kinds)))
    text = say("; ").join(parts) + "."
    if unpaired := kinds.get("unpaired"):
        names = listed(shortened([name(c.variant) for c in unpaired]), "or")
        text += " " + say("No seed has finished both in it and in {names}.", names=names)
    return text


def _worse(worse: Sequence[Comparison], name: Name, is_named: bool, of_others: bool) -> str:
    """Which are worse and by how much, than the best, which is named again after others were, or of all others."""
    first = worse[0]
    if of_others and len(worse) == 1:
        return say("{name} is worse by {size}", name=name(first.variant), size=size(first))
    those = listed(shortened([_sized(c, name) for c in worse]))
    if of_others:
        return say("the others are worse: {those}", those=those)
    return comparative(first.metric, name(first.reference) if is_named else say("it"), those)


def _against(rivals: Sequence[Comparison], head: str, name: Name) -> str:
    """What each variant is against the reference that the study names."""
    kinds, parts = _kinds(rivals), list[str]()
    for decided, (one, several) in AGAINST.items():
        if found := kinds.get(decided):
            those = listed(shortened([_sized(c, name) for c in found]))
            first = say(one, name=name(found[0].variant), size=size(found[0]))
            parts.append(first if len(found) == 1 else say(several, those=those))
    if equal := kinds.get("equal"):
        parts.append(_equals(equal, name))
    if unsure := kinds.get("cannot tell"):
        parts.append(say("{each} cannot be told from it", each=_each(unsure, name)) + _single(unsure))
    if unpaired := kinds.get("unpaired"):
        names = listed(shortened([name(c.variant) for c in unpaired]), "or")
        parts.append(say("no seed has finished both in it and in {names}", names=names))
    return f"{head}: {say('; ').join(parts)}."


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
        return plural(
            "{names} does not differ from it in this", "{names} do not differ from it in this", len(equal), names=names
        )
    return plural(
        "{each} is as good for practical purposes",
        "{each} are as good for practical purposes",
        len(equal),
        each=_each(equal, name),
    )


def _by(c: Comparison, that: str) -> str:
    """What a comparison says, and by how much."""
    return say("{that} by {size}", that=that, size=size(c))


def _sized(c: Comparison, name: Name) -> str:
    """``tanh by 1.2 ± 3.0 points``."""
    return say("{name} by {size}", name=name(c.variant), size=size(c))


def _each(comparisons: Sequence[Comparison], name: Name) -> str:
    """``tanh (1.2 ± 3.0 points less) and elu (…)``."""
    return listed(shortened([f"{name(c.variant)} ({_beside(c)})" for c in comparisons]))


def size(c: Comparison) -> str:
    """The difference without its sign, half the width of its interval after ± unless that tells nothing."""
    ends = (None, None) if c.is_too_wide else (c.low, c.high)
    return "" if c.difference is None else difference_text(c.metric, c.difference, *ends)


def _beside(c: Comparison) -> str:
    """The same with the side on which it lies of the reference."""
    found = size(c)
    if c.difference:
        found = say("{size} less", size=found) if c.difference < 0 else say("{size} more", size=found)
    return f"{found}{_few(c)}"


def _few(c: Comparison) -> str:
    return say(", too few seeds to tell") if c.is_too_wide else ""


def _single(comparisons: Sequence[Comparison]) -> str:
    is_one = any(c.method == "single runs" for c in comparisons)
    return say(": one run of each says nothing about others") if is_one else ""
