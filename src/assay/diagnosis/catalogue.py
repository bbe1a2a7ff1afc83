"""All rules, in the order in which they are told, and what they say of a run."""

from collections.abc import Sequence

from assay.diagnosis import curve, facts, steps
from assay.diagnosis.alarms import alarms
from assay.diagnosis.course import Course
from assay.diagnosis.finding import Finding, Rule
from assay.diagnosis.next_study import next_study
from assay.recipe import Recipe

RULES: tuple[Rule, ...] = (
    Rule(
        "exploded",
        "fault",
        curve.exploded,
        f"A loss is not finite, or an epoch's mean training loss exceeds {curve.EXPLODED} times that of knowing "
        "nothing.",
        "Goodfellow et al., Deep Learning, 2016, section 8.2.4; the expected first loss: CS231n, Stanford",
    ),
    Rule(
        "inputs unscaled",
        "fault",
        steps.inputs_unscaled,
        f"The root mean square of the images, as the network sees them, exceeds {steps.LARGE:g}.",
        "LeCun et al., Efficient BackProp, 1998, section 4.3",
    ),
    Rule(
        "unstable",
        "fault",
        curve.unstable,
        f"The training loss rises by more than {curve.RISE:.0%} of that of knowing nothing, in more than "
        f"{curve.RISES:.0%} of the epochs and at least twice.",
        "AutoTrainer (Zhang et al., ICSE 2021), oscillating loss, on the loss in place of the accuracy",
    ),
    Rule(
        "gradient fades",
        "fault",
        steps.gradient_fades,
        f"The gradient of the first weights is less than {steps.FADES:g} of that of the last (root mean square).",
        "AutoTrainer (Zhang et al., ICSE 2021), vanishing gradient",
    ),
    Rule(
        "rate too low",
        "fault",
        steps.rate_too_low,
        f"A step moves the weights by less than {steps.SMALL:g} of their norm, and more than {steps.LEFT:.0%} of the "
        "loss of knowing nothing is left.",
        "CS231n, Stanford: ratio of updates to weights, about 1e-3",
    ),
    Rule(
        "not learning",
        "fault",
        curve.not_learning,
        f"The best validation value of the metric is less than {curve.LITTLE:.0%} of the way from chance to perfect "
        f"and {curve.ERRORS:g} standard errors above chance.",
        "chance as in the verdict: the best answer that is the same for every image",
    ),
    Rule(
        "unfinished",
        "fault",
        curve.unfinished,
        f"Over the last quarter of the epochs the validation loss fell by more than {curve.FALL:.0%} of that of "
        f"knowing nothing, or by more than {curve.SLOW:.0%} and two thirds as fast as over all epochs; it is least "
        "there.",
        "Prechelt, Early Stopping – but when?, 1998: progress of training",
    ),
    Rule(
        "training harder than testing",
        "fault",
        curve.training_harder,
        f"In the second half of the epochs, the validation metric is more than {curve.HARDER} above the training "
        "metric.",
        "UMLAUT (Schoop et al., CHI 2021), dropout; the training values are with dropout and augmentation",
    ),
    Rule(
        "dead or saturated units",
        "fault",
        steps.dead_units,
        f"More than {steps.CONSTANT:.0%} of the units of a layer give the same for every image that is looked at: the "
        "first 512 validation images or so; of the training, where there are none.",
        "AutoTrainer (Zhang et al., ICSE 2021), dying ReLU",
    ),
    Rule(
        "overfitting",
        "fact",
        facts.overfitting,
        f"The last validation loss exceeds {facts.WORSE} times the least.",
        "Prechelt, Early Stopping – but when?, 1998: generalization loss",
    ),
    Rule(
        "single epoch",
        "fact",
        facts.single_epoch,
        "There is one epoch only.",
        "the rules themselves: a course begins with two epochs",
    ),
    Rule(
        "plateau",
        "description",
        facts.plateau,
        f"The training loss changes by less than {facts.FLAT:.0%} an epoch for {facts.LONG} epochs or more, and then "
        f"falls by more than {facts.DROP:.0%}.",
        "Dauphin et al., arXiv:1406.2572, 2014",
    ),
    Rule(
        "noise of batches",
        "description",
        facts.noise_of_batches,
        "Half the mean squared difference of the losses of neighbouring batches, as a root, over the mean loss.",
        "von Neumann, Ann. Math. Stat. 12, 1941; LeCun et al., Efficient BackProp, 1998, section 4.1",
    ),
)
HIDES = {
    "exploded": ("unstable", "rate too low", "not learning", "unfinished", "overfitting", "plateau"),
    "rate too low": ("not learning", "unfinished"),
    "gradient fades": ("rate too low",),
}
"""Finding → what is not told beside it: other words for the same."""


def diagnose(course: Course, recipe: Recipe) -> list[Finding]:
    """What the rules say of a run of ``recipe``, in their order; those that cannot be asked of it are silent."""
    found = [(rule, evidence) for rule in RULES if (evidence := rule.holds(course)) is not None]
    said = {rule.name for rule, _ in found}
    hidden = {name for first, others in HIDES.items() if first in said for name in others}
    return [
        Finding(
            rule.name,
            rule.kind,
            evidence,
            rule.words,
            rule.source,
            alarms(rule.name) if rule.kind == "fault" else None,
            next_study(rule.name, recipe),
        )
        for rule, evidence in found
        if rule.name not in hidden
    ]


def faults(findings: Sequence[Finding]) -> list[str]:
    """The names of what is wrong."""
    return [finding.name for finding in findings if finding.kind == "fault"]
