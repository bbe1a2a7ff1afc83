"""Whether tuning on validation images helped, in sentences."""

from collections.abc import Collection, Iterator

import numpy as np

from assay.language.script import as_name
from assay.language.speech import later, plural, say
from assay.report.subject import Subject
from assay.results.statistics.intervals import mean_interval
from assay.uncertainty.temperature import shows_nothing

TUNED = {
    "temperature": (later("Temperature scaling"), "temperature"),
    "injected": (later("Injected dropout"), "dropout_rate"),
}
"""Method → how it is called, and the metric that was tuned."""
LITTLE = 0.005
"""Nats of validation likelihood that are hardly anything."""


def sentences(subject: Subject) -> list[str]:
    """Whether tuning on validation images lowered the test likelihood's negative logarithm, and where it did not."""
    if "nll_plain" not in subject.results.metric_names:
        return []
    said = []
    for method, (tuned, by) in TUNED.items():
        if f"nll_{method}" not in subject.results.metric_names:
            continue
        found = {name: changes(subject, name, method) for name in subject.order}
        measured = {name: by_seed for name, by_seed in found.items() if by_seed}
        not_lower = [name for name, by_seed in measured.items() if np.mean([*by_seed.values()]) >= 0]
        average = say("on average ") if any(len(by_seed) > 1 for by_seed in measured.values()) else ""
        often = how_often([c for by_seed in measured.values() for c in by_seed.values()], len(measured))
        said.append(
            say(
                "{tuned}, tuned on validation images, {average}{lowered}{often}.",
                tuned=say(tuned),
                average=average,
                lowered=lowered(len(measured), len(not_lower)),
                often=often if len(measured) > 1 or not not_lower else "",
            )
        )
        for name in not_lower:
            before, after = (_mean(subject, name, f"nll_{m}") or 0.0 for m in ("plain", method))
            often = how_often([*measured[name].values()], 1)
            why = f"{say(by.replace('_', ' '))} {_range(subject.values(name, by).values())}"
            said[-1] += " " + say(
                "Not of {name}: {before:.4f} → {after:.4f}{often}, {why}.",
                name=called(subject, name),
                before=before,
                after=after,
                often=often,
                why=why + _reason(subject, name, method, measured[name]),
            )
    return [*said, *_nothing_shown(subject), *_absent(subject)]


def called(subject: Subject, name: str) -> str:
    """The variant in a sentence."""
    return as_name(subject.shown[name] if subject.key == "variant" else f"{subject.key} {subject.shown[name]}")


def lowered(all_of: int, not_lower: int) -> str:
    """Of how many variants the likelihood got better, in words."""
    if not not_lower:
        return plural(
            "lowered the negative log-likelihood of the test images",
            "lowered the negative log-likelihood of the test images of all {n} variants",
            all_of,
        )
    if not_lower == all_of:
        return plural(
            "did not lower the negative log-likelihood of the test images",
            "did not lower the negative log-likelihood of the test images of any variant",
            all_of,
        )
    return say(
        "lowered the negative log-likelihood of the test images of {lowered} of {n} variants",
        lowered=all_of - not_lower,
        n=all_of,
    )


def how_often(changes: list[float], variants: int) -> str:
    """Of how many networks it was lowered, where there are several."""
    if len(changes) == variants:
        return ""
    counts = {"lowered": sum(c < 0 for c in changes), "n": len(changes)}
    seeds = say(" (lowered in {lowered} of {n} seeds)", **counts)
    return seeds if variants == 1 else say(" (lowered in {lowered} of {n} runs)", **counts)


def _range(values: Collection[float]) -> str:
    least, most = (f"{end(values):.3g}" for end in (min, max))
    return least if least == most else say("{low} to {high}", low=least, high=most)


def _reason(subject: Subject, name: str, method: str, changes: dict[int, float]) -> str:
    """Not too sure in the first place, already calibrated, or misled: whichever holds in every seed not lowered."""
    seeds = [seed for seed, change in changes.items() if change >= 0]
    others = plural(" in the other", " in the others", len(seeds))
    where = "" if len(seeds) == len(changes) else others
    temperatures = [subject.values(name, "temperature")[seed] for seed in seeds]
    if method == "injected" and max(temperatures) <= 1:
        return say(
            ": it is not too sure{where} (temperature {temperatures}), and dropout can only make it less so",
            where=where,
            temperatures=_range(temperatures),
        )
    plain, tuned = (
        np.array([subject.values(name, f"validation_nll_{m}")[seed] for seed in seeds]) for m in ("plain", method)
    )
    if (plain - tuned).max() < LITTLE:
        return say(" (hardly anything to gain on the validation images{where} either)", where=where)
    if (plain - tuned).min() < LITTLE:
        return say(" (no one reason holds in every seed)")
    return say(
        " (on the validation images{where} {plain:.4f} → {tuned:.4f}: they are not enough, or not like the test "
        "images)",
        where=where,
        plain=plain.mean(),
        tuned=tuned.mean(),
    )


def _nothing_shown(subject: Subject) -> Iterator[str]:
    """The variants with a seed whose temperature is at the bound of its search."""
    for name in subject.order:
        found = [subject.results.metrics(run) for run in subject.runs(name)]
        classes = [len(subject.results.data(run)["classes"]) for run in subject.runs(name)]
        nothing = [
            shows_nothing(values["temperature"], values["validation_nll_temperature"], many)
            for values, many in zip(found, classes, strict=True)
            if "temperature" in values
        ]
        if any(nothing):
            seeds = say(" in {count} of {n} seeds", count=sum(nothing), n=len(nothing)) if len(nothing) > 1 else ""
            yield say(
                "The validation images of {name} show no relation between confidence and being right{seeds}: the "
                "temperature is the largest that was tried.",
                name=called(subject, name),
                seeds=seeds,
            )


def _absent(subject: Subject) -> Iterator[str]:
    found: dict[str, None] = {}
    for run in subject.results.finished:
        absent = subject.results.metrics(run).get("absent_from_validation", [])
        found |= dict.fromkeys(subject.results.data(run)["classes"][c] for c in absent)
    if found:
        yield plural(
            "At least one run has no validation image of {classes}: there nothing was tuned for it.",
            "At least one run has no validation image of {classes}: there nothing was tuned for them.",
            len(found),
            classes=say(", ").join(map(as_name, found)),
        )


def _mean(subject: Subject, name: str, metric: str) -> float | None:
    return mean_interval(list(subject.values(name, metric).values())).mean


def changes(subject: Subject, name: str, method: str, score: str = "nll") -> dict[int, float]:
    """Seed → by how much the method moved the negative log-likelihood of the test images (``<score>_<method>``)."""
    before, after = (subject.values(name, f"{score}_{m}") for m in ("plain", method))
    return {seed: after[seed] - before[seed] for seed in before if seed in after}
