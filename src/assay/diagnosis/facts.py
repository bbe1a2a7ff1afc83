"""Facts that have a price, and descriptions: neither says that something is wrong."""

import numpy as np

from assay.diagnosis.course import Course
from assay.diagnosis.finding import Evidence

WORSE = 1.05
"""Times the least validation loss."""
FLAT, LONG, DROP = 0.01, 3, 0.2
"""An epoch's change of the loss; epochs; the fall after them."""


def overfitting(course: Course) -> Evidence | None:
    """Later weights have a larger validation loss than those of the best epoch."""
    loss = course.validation_loss
    if len(course) < 2 or np.isnan(loss).any() or loss.min() <= 0:
        return None
    best, price = int(loss.argmin()), float(loss[-1] / loss.min())
    if price < WORSE:
        return None
    kept = min(course.facts.kept or len(course), len(course))
    of_kept = "the least" if loss[kept - 1] == loss[best] else f"{loss[kept - 1] / loss[best]:.3g} times the least"
    text = (
        f"the validation loss is least in epoch {best + 1} ({loss[best]:.3g}); at the end it is {price:.3g} times "
        f"that. The weights kept are of epoch {kept}, whose loss is {of_kept}"
    )
    return Evidence(text, [best + 1, kept], {"price": price, "kept": kept, "least": float(loss[best])})


def single_epoch(course: Course) -> Evidence | None:
    """Of what compares epochs nothing can be said."""
    if len(course) != 1 or course.facts.broke is not None:
        return None
    return Evidence(
        "after one epoch there is no course yet: unstable, unfinished, overfitting and whatever else compares epochs "
        "cannot be told",
        [1],
    )


def noise_of_batches(course: Course) -> Evidence | None:
    """How the steps see the data, and how much their losses scatter."""
    facts = course.facts
    if facts.batch_size >= facts.images:
        return Evidence("whole batch: every step sees all training images, so its loss has no noise of batches")
    kind = (
        "stochastic: a step sees one image" if facts.batch_size == 1 else f"mini-batches of {facts.batch_size} images"
    )
    if np.isnan(course.loss_noise[[0, -1]] if len(course) else [np.nan]).any():
        return Evidence(kind)
    first, last = (float(course.loss_noise[i] / course.train_loss[i]) for i in (0, -1))
    numbers = {"first": first, "last": last}
    if len(course) == 1:
        return Evidence(f"{kind}; their losses scatter by {first:.0%} of their mean", [1], numbers)
    text = f"{kind}; their losses scatter by {first:.0%} of their mean in the first epoch and by {last:.0%} in the last"
    return Evidence(text, [1, len(course)], numbers)


def plateau(course: Course) -> Evidence | None:
    """The training loss stood still, and then fell."""
    loss = course.train_loss
    flat = np.abs(np.diff(loss)) < FLAT * loss[:-1]
    for start in range(len(flat) - LONG + 1):
        end = start + LONG
        while end < len(flat) and flat[end]:
            end += 1
        if flat[start:end].all() and loss[end:].min(initial=np.inf) < (1 - DROP) * loss[end]:
            text = (
                f"the training loss stood at {loss[end]:.3g} from epoch {start + 1} to {end + 1}, "
                f"and then fell to {loss[end:].min():.3g}"
            )
            return Evidence(text, [start + 1, end + 1], {"level": float(loss[end]), "least": float(loss[end:].min())})
    return None
