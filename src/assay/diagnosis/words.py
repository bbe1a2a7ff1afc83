"""What rules and their evidence say, in sentences that other languages have too.

A run keeps them in English; a page tells them ``again`` in its own language.
"""

import re
from functools import cache

from assay.language.speech import later, say

NOTHING, FIRST = later("that of knowing nothing"), later("that of the first epoch")
"""What losses are measured by."""
TRAINING, VALIDATION = later("training"), later("validation")

EVIDENCE = (
    BROKE := later("the loss was not finite in epoch {epoch}"),
    HIGH := later("the mean training loss of epoch {epoch} is {loss}, {times} times the {chance} of knowing nothing"),
    RISES := later("the training loss rises in {n} of {all} epochs, most in epoch {epoch}"),
    AT_CHANCE := later(
        "the best {split} {metric} is {best} (epoch {epoch}); knowing nothing reaches {chance}, and anything below "
        "{limit} is too close to that to count as learned"
    ),
    FALLING := later(
        "over the last {n} of {all} epochs the {split} loss still fell from {before} to {end}, by {share} of "
        "{measure}, and is least in epoch {epoch}"
    ),
    HARDER := later(
        "over the last {n} epochs the median of the validation {metric} less that of the training images is {gap}"
    ),
    SMALL_STEPS := later(
        "a step moves the weights by {step} of their norm, and after {n} epochs the training loss is {loss}, {share} "
        "of {measure}"
    ),
    FADES := later("the gradient of the first weights is {ratio} times that of the last, the median of {n} epochs"),
    CONSTANT := later(
        "{constant} of {units} units of {layer} ({activation}) give the same for every image that was looked at; so do "
        "more than {share} of the units in {n} of {all} layers with an activation"
    ),
    UNSCALED := later("the images reach the network with a root mean square of {size}"),
    WORSE_LATER := later(
        "the validation loss is least in epoch {best} ({least}); at the end it is {price} times that. The weights kept "
        "are of epoch {kept}, whose loss is {of_kept}"
    ),
    LEAST := later("the least"),
    TIMES_LEAST := later("{times} times the least"),
    ONE_EPOCH := later(
        "after one epoch there is no course yet: unstable, unfinished, overfitting and whatever else compares epochs "
        "cannot be told"
    ),
    WHOLE_BATCH := later("whole batch: every step sees all training images, so its loss has no noise of batches"),
    ONE_IMAGE := later("stochastic: a step sees one image"),
    BATCHES := later("mini-batches of {n} images"),
    SCATTER_TWICE := later(
        "{kind}; their losses scatter by {first} of their mean in the first epoch and by {last} in the last"
    ),
    SCATTER := later("{kind}; their losses scatter by {share} of their mean"),
    STOOD := later("the training loss stood at {level} from epoch {start} to {end}, and then fell to {least}"),
)
"""Why a rule speaks."""

RULES = (
    EXPLODED := later(
        "A loss is not finite, or an epoch's mean training loss exceeds {times} times that of knowing nothing."
    ),
    INPUTS := later("The root mean square of the images, as the network sees them, exceeds {size}."),
    UNSTABLE := later(
        "The training loss rises by more than {rise} of that of knowing nothing, in more than {share} of the epochs "
        "and at least twice."
    ),
    GRADIENT := later("The gradient of the first weights is less than {share} of that of the last (root mean square)."),
    RATE := later(
        "A step moves the weights by less than {step} of their norm, and more than {left} of the loss of knowing "
        "nothing is left."
    ),
    NOT_LEARNING := later(
        "The best validation value of the metric is less than {share} of the way from chance to perfect and {errors} "
        "standard errors above chance."
    ),
    UNFINISHED := later(
        "Over the last quarter of the epochs the validation loss fell by more than {fall} of that of knowing nothing, "
        "or by more than {slow} and two thirds as fast as over all epochs; it is least there."
    ),
    TRAINING_HARDER := later(
        "In the second half of the epochs, the validation metric is more than {gap} above the training metric."
    ),
    DEAD := later(
        "More than {share} of the units of a layer give the same for every image that is looked at: the first 512 "
        "validation images or so; of the training, where there are none."
    ),
    OVERFITTING := later("The last validation loss exceeds {times} times the least."),
    SINGLE := later("There is one epoch only."),
    PLATEAU := later(
        "The training loss changes by less than {flat} an epoch for {n} epochs or more, and then falls by more than "
        "{drop}."
    ),
    NOISE := later(
        "Half the mean squared difference of the losses of neighbouring batches, as a root, over the mean loss."
    ),
)
"""What a rule asks."""


def again(text: str) -> str:
    """One of these texts, as a run keeps it, in the language of the page; any other as it stands."""
    for template, pattern in _patterns():
        if found := pattern.fullmatch(text):
            return say(template, **{name: again(part) for name, part in found.groupdict().items()})
    return say(text)


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    return [(template, _pattern(template)) for template in (*EVIDENCE, *RULES)]


def _pattern(template: str) -> re.Pattern[str]:
    """What finds the parts of a text that was made from it."""
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+?)", re.escape(template)))
