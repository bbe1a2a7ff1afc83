"""Whether tuning on validation images helped, in sentences."""

from collections.abc import Collection, Iterator

import numpy as np

from assay.report.subject import Subject
from assay.results.statistics import mean_interval
from assay.uncertainty.temperature import shows_nothing

LITTLE = 0.005
"""Nats of validation likelihood that are hardly anything."""


def sentences(subject: Subject) -> list[str]:
    """Whether tuning on validation images lowered the test likelihood's negative logarithm, and where it did not."""
    if "nll_plain" not in subject.results.metric_names:
        return []
    said = []
    for method, tuned, by in (
        ("temperature", "Temperature scaling", "temperature"),
        ("injected", "Injected dropout", "dropout_rate"),
    ):
        if f"nll_{method}" not in subject.results.metric_names:
            continue
        found = {name: changes(subject, name, method) for name in subject.order}
        measured = {name: by_seed for name, by_seed in found.items() if by_seed}
        not_lower = [name for name, by_seed in measured.items() if np.mean([*by_seed.values()]) >= 0]
        average = "on average " if any(len(by_seed) > 1 for by_seed in measured.values()) else ""
        said.append(f"{tuned}, tuned on validation images, {average}{lowered(len(measured), len(not_lower))}")
        if len(measured) > 1 or not not_lower:
            said[-1] += how_often([c for by_seed in measured.values() for c in by_seed.values()], len(measured))
        said[-1] += "."
        for name in not_lower:
            before, after = (_mean(subject, name, f"nll_{m}") or 0.0 for m in ("plain", method))
            often = how_often([*measured[name].values()], 1)
            why = f"{by.replace('_', ' ')} {_range(subject.values(name, by).values())}"
            why += _reason(subject, name, method, measured[name])
            said[-1] += f" Not of {called(subject, name)}: {before:.4f} → {after:.4f}{often}, {why}."
    return [*said, *_nothing_shown(subject), *_absent(subject)]


def called(subject: Subject, name: str) -> str:
    """The variant in a sentence."""
    return subject.shown[name] if subject.key == "variant" else f"{subject.key} {subject.shown[name]}"


def lowered(all_of: int, not_lower: int) -> str:
    """Of how many variants the likelihood got better, in words."""
    what = "the negative log-likelihood of the test images"
    if not not_lower:
        return f"lowered {what}" + (f" of all {all_of} variants" if all_of > 1 else "")
    if not_lower == all_of:
        return f"did not lower {what}" + (" of any variant" if all_of > 1 else "")
    return f"lowered {what} of {all_of - not_lower} of {all_of} variants"


def how_often(changes: list[float], variants: int) -> str:
    """Of how many networks it was lowered, where there are several."""
    if len(changes) == variants:
        return ""
    return f" (lowered in {sum(c < 0 for c in changes)} of {len(changes)} {'seeds' if variants == 1 else 'runs'})"


def _range(values: Collection[float]) -> str:
    least, most = (f"{end(values):.3g}" for end in (min, max))
    return least if least == most else f"{least} to {most}"


def _reason(subject: Subject, name: str, method: str, changes: dict[int, float]) -> str:
    """Not too sure in the first place, already calibrated, or misled: whichever holds in every seed not lowered."""
    seeds = [seed for seed, change in changes.items() if change >= 0]
    where = "" if len(seeds) == len(changes) else " in the others" if len(seeds) > 1 else " in the other"
    temperatures = [subject.values(name, "temperature")[seed] for seed in seeds]
    if method == "injected" and max(temperatures) <= 1:
        return f": it is not too sure{where} (temperature {_range(temperatures)}), and dropout can only make it less so"
    plain, tuned = (
        np.array([subject.values(name, f"validation_nll_{m}")[seed] for seed in seeds]) for m in ("plain", method)
    )
    if (plain - tuned).max() < LITTLE:
        return f" (hardly anything to gain on the validation images{where} either)"
    if (plain - tuned).min() < LITTLE:
        return " (no one reason holds in every seed)"
    gained = f"{plain.mean():.4f} → {tuned.mean():.4f}"
    return f" (on the validation images{where} {gained}: they are not enough, or not like the test images)"


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
            seeds = f" in {sum(nothing)} of {len(nothing)} seeds" if len(nothing) > 1 else ""
            yield (
                f"The validation images of {called(subject, name)} show no relation between confidence and being "
                f"right{seeds}: the temperature is the largest that was tried."
            )


def _absent(subject: Subject) -> Iterator[str]:
    found: dict[str, None] = {}
    for run in subject.results.finished:
        absent = subject.results.metrics(run).get("absent_from_validation", [])
        found |= dict.fromkeys(subject.results.data(run)["classes"][c] for c in absent)
    if found:
        them = "it" if len(found) == 1 else "them"
        yield f"At least one run has no validation image of {', '.join(found)}: there nothing was tuned for {them}."


def _mean(subject: Subject, name: str, metric: str) -> float | None:
    return mean_interval(list(subject.values(name, metric).values())).mean


def changes(subject: Subject, name: str, method: str, score: str = "nll") -> dict[int, float]:
    """Seed → by how much the method moved the negative log-likelihood of the test images (``<score>_<method>``)."""
    before, after = (subject.values(name, f"{score}_{m}") for m in ("plain", method))
    return {seed: after[seed] - before[seed] for seed in before if seed in after}
