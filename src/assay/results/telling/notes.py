"""The small print of a verdict: what the intervals assume, what the number of seeds allows, which runs are missing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from assay.language.script import as_name
from assay.language.speech import later, plural, say
from assay.recipe.design import TRUTHS
from assay.recipe.study import Study
from assay.results.comparing.comparison import Comparison, Comparisons
from assay.results.comparing.standing import percent
from assay.results.folders import Run
from assay.results.metrics import label as metric_label
from assay.results.names import listed, short_names

SHOWN = 6
"""So many missing runs, and tensors, are named."""

OVER_SEEDS = later(
    "The interval of a variant is a 95 % t interval over its seeds. It assumes roughly normal values and covers what "
    "the seed governs (which images validate, initialisation, order, augmentation, dropout), not the choice of the "
    "test images."
)
ONE_SEED = later("Seeds were not varied: each variant was trained once, and training it again may give another answer.")
ONE_LEFT = later("Of several seeds one run of a variant is left: training it again may give another answer.")
PAIRED = later(
    "Differences are taken between runs with the same seed. Their intervals assume independent, roughly normal "
    "differences, which few seeds cannot check."
)
SAME_DIFFERENCE = later(
    "Where every seed gives the same difference there is no t interval: p is the sign-flip test's, and the difference "
    "is decided only with enough pairs."
)
BOOTSTRAP = later(
    "Where a single pair of runs is compared, the interval is a paired bootstrap interval over the test images "
    "and p is that of McNemar's exact test. Both assume independent images and say nothing about other seeds."
)
SWAPS = later(
    "Where a single pair of runs is compared, the interval is a paired bootstrap interval over the test images "
    "and p is that of exchanging the two networks' answers image by image. Both assume independent images and say "
    "nothing about other seeds."
)
ORIGINALS = later(
    "Where a single pair of runs is compared, whole originals are drawn for the paired bootstrap interval, and "
    "the two networks' answers to them exchanged for p, all copies of one together. Both assume independent originals "
    "and say nothing about other seeds."
)
BOTH = later(
    "The intervals of the differences cover other seeds and other test images like these {images:,}, taken for "
    "independent draws: the variance over seeds and that over images, less what both contain."
)
OF_ORIGINALS = later(
    "The intervals of the differences cover other seeds and other test images like these {images:,}, of which all "
    "copies of one original count as one draw: the variance over seeds and that over originals, less what both contain."
)
WIDER = later(
    "The intervals of the differences cover other seeds or other test images like these {images:,}, taken for "
    "independent draws, whichever is wider: two seeds say too little of how runs vary to add the two up."
)
WIDER_OF_ORIGINALS = later(
    "The intervals of the differences cover other seeds or other test images like these {images:,}, of which all "
    "copies of one original count as one draw, whichever is wider: two seeds say too little of how runs vary to add "
    "the two up."
)
IMAGES_LEAD = later(
    "{images:,} test images: they add more to the errors of the differences than the seeds do. More test images would "
    "narrow the intervals, more seeds hardly."
)
OTHER_IMAGES = later(
    "The runs were not all tested on the same images, so that a difference between them is one between images too, "
    "and the runs of a pair have no more than their seed in common."
)
OTHER_TRUTHS = later(
    "The variants differ in {keys}, which decides what is true of the test images: they are measured by unlike "
    "yardsticks, and a difference between them may be one of these alone."
)
OVER_IMAGES = {
    "bootstrap over test images, McNemar": BOOTSTRAP,
    "bootstrap over test images, swaps": SWAPS,
    "bootstrap over originals, swaps": ORIGINALS,
}
PARTS = {
    "not_loaded": later("{n} of the network stayed random ({names})"),
    "not_used": later("{n} of the file went unused ({names})"),
}
"""Key of the record of loaded weights → what is told of the tensors named there."""
OVER_PAIRS = {"pooled t over seeds", "paired t over seeds"}
SINGLE = later("Where a single pair of runs is compared in this metric, there is neither an interval nor a p-value.")


def notes(
    study: Study, runs: Sequence[Run], against_base: Comparisons | None, against_best: Comparisons | None
) -> list[str]:
    """What the answer in one metric rests on; the comparisons are None where no run has finished."""
    seeds = max((sum(r.state == "finished" and r.variant == v for r in runs) for v in study.plan), default=0)
    compared = [c for c in [*(against_base or ()), *(against_best or ())] if c.pairs]
    methods = {c.method for c in compared}
    once = ONE_SEED if len(study.seed_list) == 1 else ONE_LEFT
    found = [say(OVER_SEEDS if seeds > 1 else once)] if seeds else []
    if methods & OVER_PAIRS:
        found.append(say(PAIRED))
    found += _over_images(study, against_best or against_base)
    if "sign flip over seeds" in methods:
        found.append(say(SAME_DIFFERENCE))
    found += [say(note) for method, note in OVER_IMAGES.items() if method in methods]
    if "single runs" in methods:
        found.append(say(SINGLE))
    return (
        found + _other_truths(study) + _together(study, against_best) + _missing(study, runs, against_base or (), seeds)
    )


def other_test_images(tested: Iterable[str | None]) -> list[str]:
    """Whether runs were tested on different images; ``tested`` has a hash of them for each run."""
    return [say(OTHER_IMAGES)] if len({images for images in tested if images}) > 1 else []


def unlike_processors(runs: Iterable[Run], environment: Callable[[Run], Mapping[str, Any]]) -> list[str]:
    """Of which seeds runs were made on unlike processors or cards, by the ``environment`` of each."""
    of_seed: dict[int, dict[str, None]] = {}
    for run in runs:
        made = environment(run)
        on = made.get("cpu") if made.get("device") == "cpu" else made.get("device")
        if on:
            of_seed.setdefault(run.seed, {})[on] = None
    mixed = {seed: on for seed, on in of_seed.items() if len(on) > 1}
    if not mixed:
        return []
    where = "; ".join(dict.fromkeys(as_name(name) for on in mixed.values() for name in on))
    return [
        plural(
            "Of seed {seeds}, runs that are compared in pairs were made on unlike processors, whose rounding differs: "
            "{where}.",
            "Of seeds {seeds}, runs that are compared in pairs were made on unlike processors, whose rounding differs: "
            "{where}.",
            len(mixed),
            seeds=listed(list(map(str, mixed))),
            where=where,
        )
    ]


def not_measured(study: Study, measured: Sequence[str], leading: str) -> list[str]:
    """That no run has the metric that the study asks for, and which one leads instead."""
    if study.metric is None or study.metric in measured:
        return []
    asked, instead = metric_label(study.metric), metric_label(leading)
    return [
        say(
            "The study asks for {asked}, which no finished run has; {instead} leads instead.",
            asked=asked,
            instead=instead,
        )
    ]


def half_loaded(study: Study, loaded: Iterable[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Which variants began with weights of which a part fitted; ``loaded`` has what each run has on record."""
    name = short_names(study)
    found: dict[str, dict[str, None]] = {}
    for variant, record in loaded:
        if not record.get("is_whole", True):
            found.setdefault(_in_part(record), {})[name[variant]] = None
    return [
        say("Of the weights that {names} began with, {what}.", names=listed(list(variants)), what=what)
        for what, variants in found.items()
    ]


def _in_part(record: Mapping[str, Any]) -> str:
    fitted = say("{n} tensors fitted ({origin})", n=record["loaded"], origin=as_name(record["origin"]))
    parts = [fitted]
    for key, what in PARTS.items():
        if names := record[key]:
            more = ", …" if len(names) > SHOWN else ""
            parts.append(say(what, n=len(names), names=as_name(f"{', '.join(names[:SHOWN])}{more}")))
    return listed(parts)


def _other_truths(study: Study) -> list[str]:
    keys = [key for key in study.factors if key in TRUTHS]
    return [say(OTHER_TRUTHS, keys=listed(keys))] if keys else []


def _over_images(study: Study, found: Comparisons | None) -> list[str]:
    if found is None or found.images is None:
        return []
    with_copies = any(variant.recipe.data.group for variant in study.plan.values())
    of_two = {_is_of_two(c) for c in found if c.images_error is not None}
    wider = [WIDER_OF_ORIGINALS if with_copies else WIDER] if True in of_two else []
    both = [OF_ORIGINALS if with_copies else BOTH] if False in of_two else []
    return [say(note, images=found.images) for note in (*both, *wider, *[IMAGES_LEAD] * found.images_lead)]


def _is_of_two(c: Comparison) -> bool:
    """Whether two pairs of runs alone say how much it varies."""
    return c.method == "paired t over seeds" and c.pairs == 2


def _together(study: Study, found: Comparisons | None) -> list[str]:
    """For what the intervals hold together, by which rule and why."""
    if found is None or not any(c.low is not None and c.method != "exact" for c in found):
        return []
    level = percent(found.alpha)
    holds = say("The interval of the difference holds in {level} of studies.", level=level)
    if found.family > 1:
        holds = say(
            "The intervals of the differences in one metric hold together in {level} of studies ({n} comparisons, "
            "{family}).",
            level=level,
            n=found.family,
            family=say("every variant with the reference") if found.is_named else say("all pairs of variants"),
        )
    ends = "" if found.is_interim else say("p is of the same procedure, and what is decided is what the interval says.")
    said = [" ".join(filter(None, [holds, ends]))]
    if found.family > 1 and any(c.method in OVER_PAIRS for c in found):
        said.append(_error(found, short_names(study)))
    return said


def _error(found: Comparisons, name: Mapping[str, str]) -> str:
    """Which differences share an error, and why."""
    whose = say("Dunnett") if found.is_named else say("Tukey")
    if not found.apart:
        return say(
            "All differences share one error ({whose}'s intervals): no variant's runs stand out by how they vary.",
            whose=whose,
        )
    times = {v: say("far more") if r > 99 else say("{n:.1f} times", n=r) for v, r in found.apart.items()}
    return say(
        "The runs of {names} vary more than the others', which may be chance, and is allowed for: differences to them "
        "have errors of their own (paired t intervals at {alpha:.3g}/{family}); the others share one, to which all "
        "runs give ({whose}'s intervals).",
        names=listed([f"{name[v]} ({more})" for v, more in times.items()]),
        alpha=found.alpha,
        family=found.family,
        whose=whose,
    )


def _missing(study: Study, runs: Sequence[Run], against_base: Sequence[Comparison], seeds: int) -> list[str]:
    name = short_names(study)
    absent = [run for run in runs if run.state != "finished"]
    found = []
    if absent:
        shown = [
            say("{name} seed {seed} ({state})", name=name[r.variant], seed=r.seed, state=_standing(r))
            for r in absent[:SHOWN]
        ]
        rest = [say("{n} more", n=len(absent) - SHOWN)] if len(absent) > SHOWN else []
        found.append(
            plural(
                "{n} of {runs} runs is missing from the comparison: {which}.",
                "{n} of {runs} runs are missing from the comparison: {which}.",
                len(absent),
                runs=len(runs),
                which=listed([*shown, *rest]),
            )
        )
    fewer = [c for c in against_base if 0 < c.pairs < seeds]
    if fewer:
        names = [say("{name} ({pairs} of {seeds})", name=name[c.variant], pairs=c.pairs, seeds=seeds) for c in fewer]
        found.append(
            say(
                "Fewer pairs than seeds could be compared with {reference}: {names}.",
                reference=name[fewer[0].reference],
                names=listed(names),
            )
        )
    return found


def _standing(run: Run) -> str:
    return f"{say(run.state)}: {as_name(run.reason)}" if run.reason else say(run.state)
