"""All rules, in the order in which they are told, and what they say of a run."""

from collections.abc import Sequence

from assay.diagnosis import curve, facts, steps, words
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
        words.EXPLODED.format(times=curve.EXPLODED),
        "Goodfellow et al., Deep Learning, 2016, section 8.2.4; the expected first loss: CS231n, Stanford",
    ),
    Rule(
        "inputs unscaled",
        "fault",
        steps.inputs_unscaled,
        words.INPUTS.format(size=f"{steps.LARGE:g}"),
        "LeCun et al., Efficient BackProp, 1998, section 4.3",
    ),
    Rule(
        "unstable",
        "fault",
        curve.unstable,
        words.UNSTABLE.format(rise=f"{curve.RISE:.0%}", share=f"{curve.RISES:.0%}"),
        "AutoTrainer (Zhang et al., ICSE 2021), oscillating loss, on the loss in place of the accuracy",
    ),
    Rule(
        "gradient fades",
        "fault",
        steps.gradient_fades,
        words.GRADIENT.format(share=f"{steps.FADES:g}"),
        "AutoTrainer (Zhang et al., ICSE 2021), vanishing gradient",
    ),
    Rule(
        "rate too low",
        "fault",
        steps.rate_too_low,
        words.RATE.format(step=f"{steps.SMALL:g}", left=f"{steps.LEFT:.0%}"),
        "CS231n, Stanford: ratio of updates to weights, about 1e-3",
    ),
    Rule(
        "not learning",
        "fault",
        curve.not_learning,
        words.NOT_LEARNING.format(share=f"{curve.LITTLE:.0%}", errors=f"{curve.ERRORS:g}"),
        "chance as in the verdict: the best answer that is the same for every image",
    ),
    Rule(
        "unfinished",
        "fault",
        curve.unfinished,
        words.UNFINISHED.format(fall=f"{curve.FALL:.0%}", slow=f"{curve.SLOW:.0%}"),
        "Prechelt, Early Stopping – but when?, 1998: progress of training",
    ),
    Rule(
        "training harder than testing",
        "fault",
        curve.training_harder,
        words.TRAINING_HARDER.format(gap=curve.HARDER),
        "UMLAUT (Schoop et al., CHI 2021), dropout; the training values are with dropout and augmentation",
    ),
    Rule(
        "dead or saturated units",
        "fault",
        steps.dead_units,
        words.DEAD.format(share=f"{steps.CONSTANT:.0%}"),
        "AutoTrainer (Zhang et al., ICSE 2021), dying ReLU",
    ),
    Rule(
        "overfitting",
        "fact",
        facts.overfitting,
        words.OVERFITTING.format(times=facts.WORSE),
        "Prechelt, Early Stopping – but when?, 1998: generalization loss",
    ),
    Rule(
        "single epoch",
        "fact",
        facts.single_epoch,
        words.SINGLE,
        "the rules themselves: a course begins with two epochs",
    ),
    Rule(
        "plateau",
        "description",
        facts.plateau,
        words.PLATEAU.format(flat=f"{facts.FLAT:.0%}", n=facts.LONG, drop=f"{facts.DROP:.0%}"),
        "Dauphin et al., arXiv:1406.2572, 2014",
    ),
    Rule(
        "noise of batches",
        "description",
        facts.noise_of_batches,
        words.NOISE,
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
