"""Two published sets of rules, in words of our own, as far as what assay records can be asked.

UMLAUT (Schoop, Huang & Hartmann, CHI 2021) and AutoTrainer (Zhang, Zhai, Ma & Shen, ICSE 2021) with its default
parameters. Approximations: both are asked once an epoch, where AutoTrainer looks at batches as well; gradients are root
mean squares of the first and the last weights, averaged over an epoch; dying ReLU is judged by units that are constant
over the validation images, not by gradients that are zero. UMLAUT's checks of code (softmax before the loss, shapes,
missing activations) have nothing to say of recipes and are left out.
"""

import numpy as np
from diagnosis_recipes import Seen

HIGH_RATE, LOW_RATE, SUSPICIOUS, OFTEN_DROPPED, LARGE_INPUT = 0.01, 1e-7, 0.95, 0.5, 1.0
"""UMLAUT: rates beyond these; a validation accuracy above; a dropout rate above; inputs outside −1 … 1, here by their
root mean square, which standardised images have at 1."""
FADES, SMALL, EXPLODES, DYING, JUMP, JUMPS, SLOW, GOOD = 1e-3, 1e-4, 70.0, 0.7, 0.03, 0.2, 0.01, 0.6
"""AutoTrainer: β1, β2, β3, γ, ζ, η, δ, Θ."""


def umlaut(seen: Seen) -> list[str]:
    """The names of UMLAUT's warnings and errors."""
    course, found = seen.course, []
    rate, inputs = seen.recipe.train.optimizer.lr, course.facts.inputs
    if course.facts.broke is not None:
        found.append("loss is not a number")
    if rate > HIGH_RATE:
        found.append("learning rate is high")
    if rate < LOW_RATE:
        found.append("learning rate is low")
    if inputs is not None and inputs > 1.5 * LARGE_INPUT:
        found.append("input data exceeds typical limits")
    if (seen.recipe.model.arguments.get("dropout") or 0.0) > OFTEN_DROPPED:
        found.append("dropout is high")
    losses = course.validation_loss
    if (np.diff(losses) > 0)[np.diff(course.train_loss) < 0].any():
        found.append("possible overfitting")
    if len(course) and np.nanmax(course.validation_metric) > SUSPICIOUS:
        found.append("validation accuracy is suspiciously high")
    return found


def autotrainer(seen: Seen) -> list[str]:
    """The names of AutoTrainer's problems; a training whose accuracy is good has none."""
    course, found = seen.course, []
    if course.facts.broke is not None:
        return ["exploding gradient"]
    accuracy = course.train_metric
    if accuracy[-1] > GOOD:
        return []
    first, last = course.first_gradient, course.last_gradient
    with np.errstate(divide="ignore", invalid="ignore"):
        if ((first / last < FADES) & (first < SMALL)).any():
            found.append("vanishing gradient")
    if (np.maximum(first, last) > EXPLODES).any():
        found.append("exploding gradient")
    if any(one.activation == "ReLU" and one.constant > DYING * one.units for one in course.facts.units):
        found.append("dying ReLU")
    steps = np.diff(accuracy)
    if (steps < -JUMP).mean() > JUMPS:
        found.append("oscillating loss")
    if len(steps) and np.abs(steps[-3:]).max() < SLOW:
        found.append("slow convergence")
    return found
