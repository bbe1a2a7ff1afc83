"""Facts that have a price, and descriptions: neither says that something is wrong."""

import numpy as np

from assay.diagnosis import words
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
    times = words.TIMES_LEAST.format(times=f"{loss[kept - 1] / loss[best]:.3g}")
    text = words.WORSE_LATER.format(
        best=best + 1,
        least=f"{loss[best]:.3g}",
        price=f"{price:.3g}",
        kept=kept,
        of_kept=words.LEAST if loss[kept - 1] == loss[best] else times,
    )
    return Evidence(text, [best + 1, kept], {"price": price, "kept": kept, "least": float(loss[best])})


def single_epoch(course: Course) -> Evidence | None:
    """Of what compares epochs nothing can be said."""
    if len(course) != 1 or course.facts.broke is not None:
        return None
    return Evidence(words.ONE_EPOCH, [1])


def noise_of_batches(course: Course) -> Evidence | None:
    """How the steps see the data, and how much their losses scatter."""
    facts = course.facts
    if facts.batch_size >= facts.images:
        return Evidence(words.WHOLE_BATCH)
    kind = words.ONE_IMAGE if facts.batch_size == 1 else words.BATCHES.format(n=facts.batch_size)
    if np.isnan(course.loss_noise[[0, -1]] if len(course) else [np.nan]).any():
        return Evidence(kind)
    first, last = (float(course.loss_noise[i] / course.train_loss[i]) for i in (0, -1))
    numbers = {"first": first, "last": last}
    if len(course) == 1:
        return Evidence(words.SCATTER.format(kind=kind, share=f"{first:.0%}"), [1], numbers)
    text = words.SCATTER_TWICE.format(kind=kind, first=f"{first:.0%}", last=f"{last:.0%}")
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
            text = words.STOOD.format(
                level=f"{loss[end]:.3g}", start=start + 1, end=end + 1, least=f"{loss[end:].min():.3g}"
            )
            return Evidence(text, [start + 1, end + 1], {"level": float(loss[end]), "least": float(loss[end:].min())})
    return None
