"""Rules on the steps of the optimizer, on the units of the trained network, and on what it sees."""

import numpy as np

from assay.diagnosis import words
from assay.diagnosis.course import Course
from assay.diagnosis.finding import Evidence

SMALL, LEFT = 1e-4, 0.5
"""Of the norm of the weights; of the loss of knowing nothing."""
FADES = 1e-3
"""The gradient of the first weights, of that of the last."""
CONSTANT = 0.7
"""Of the units of a layer."""
LARGE = 10.0
"""Root mean square of the inputs; standardised ones have 1."""


def rate_too_low(course: Course) -> Evidence | None:
    """Little was learned, and in small steps."""
    if not course.has_steps or course.facts.chance_loss is None:
        return None
    step, left = float(np.nanmedian(course.step_size)), float(course.train_loss[-1]) / course.scale
    if step >= SMALL or left <= LEFT:
        return None
    text = words.SMALL_STEPS.format(
        step=f"{step:.1e}",
        n=len(course),
        loss=f"{course.train_loss[-1]:.3g}",
        share=f"{left:.0%}",
        measure=course.measure,
    )
    return Evidence(text, [len(course)], {"step": step, "left": left})


def gradient_fades(course: Course) -> Evidence | None:
    """The first weights get next to no gradient."""
    there = (course.last_gradient > 0) & ~np.isnan(course.first_gradient)
    if not there.any():
        return None
    ratio = float(np.median(course.first_gradient[there] / course.last_gradient[there]))
    if ratio >= FADES:
        return None
    text = words.FADES.format(ratio=f"{ratio:.1e}", n=int(there.sum()))
    return Evidence(text, (np.flatnonzero(there) + 1).tolist(), {"ratio": ratio})


def dead_units(course: Course) -> Evidence | None:
    """Many units give the same for every image."""
    dead = [one for one in course.facts.units if one.constant > CONSTANT * one.units]
    if not dead:
        return None
    worst = max(dead, key=lambda one: one.constant / one.units)
    text = words.CONSTANT.format(
        constant=worst.constant,
        units=worst.units,
        layer=worst.layer,
        activation=worst.activation,
        share=f"{CONSTANT:.0%}",
        n=len(dead),
        all=len(course.facts.units),
    )
    return Evidence(text, [], {"constant": worst.constant, "units": worst.units, "layers": len(dead)})


def inputs_unscaled(course: Course) -> Evidence | None:
    """What the network sees is far from numbers around 1."""
    seen = course.facts.inputs
    if seen is None or seen <= LARGE:
        return None
    return Evidence(words.UNSCALED.format(size=f"{seen:.3g}"), [], {"inputs": seen})
