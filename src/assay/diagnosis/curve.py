"""Rules on the course of the epochs: losses, and the metric that was watched."""

import numpy as np

from assay.diagnosis import words
from assay.diagnosis.course import Course
from assay.diagnosis.finding import Evidence

EXPLODED = 1.5
"""Times the loss of knowing nothing."""
RISE, RISES = 0.02, 0.15
"""Of the loss of knowing nothing; of the epochs."""
LITTLE, ERRORS = 0.05, 3.0
"""Of the way from chance to perfect; standard errors."""
FALL, RECENT = 0.03, 0.25
"""Of the loss of knowing nothing; of the epochs, the last ones."""
SLOW, PACE = 0.01, 2 / 3
"""Of the loss of knowing nothing; of the mean fall an epoch: of a loss that falls little and does not slow down."""
HARDER = 0.15
"""Of the metric."""


def exploded(course: Course) -> Evidence | None:
    """A number was not finite, or an epoch's mean loss is far above that of knowing nothing."""
    facts = course.facts
    broke = facts.broke or next(iter(infinite(course)), None)
    if broke is not None:
        return Evidence(words.BROKE.format(epoch=broke), [broke])
    if facts.chance_loss is None or not len(course):
        return None
    high = np.flatnonzero(course.train_loss > EXPLODED * facts.chance_loss)
    if not len(high):
        return None
    worst = int(high[course.train_loss[high].argmax()])
    text = words.HIGH.format(
        epoch=worst + 1,
        loss=f"{course.train_loss[worst]:.3g}",
        times=f"{course.train_loss[worst] / facts.chance_loss:.3g}",
        chance=f"{facts.chance_loss:.3g}",
    )
    return Evidence(text, (high + 1).tolist(), {"loss": float(course.train_loss[worst]), "chance": facts.chance_loss})


def infinite(course: Course) -> list[int]:
    """The epochs, from 1, in which a loss is infinite."""
    return (np.flatnonzero(np.isinf(course.train_loss) | np.isinf(course.validation_loss)) + 1).tolist()


def unstable(course: Course) -> Evidence | None:
    """The training loss rises in many epochs."""
    rises = np.diff(course.train_loss) / course.scale
    rises[[place - 1 for place in course.begins if place]] = 0.0
    high = np.flatnonzero(rises > RISE)
    if len(high) < 2 or len(high) <= RISES * len(rises):
        return None
    text = words.RISES.format(n=len(high), all=len(rises), epoch=int(np.nanargmax(rises)) + 2)
    return Evidence(text, (high + 2).tolist(), {"rises": len(high), "largest": float(np.nanmax(rises) * course.scale)})


def not_learning(course: Course) -> Evidence | None:
    """The metric stays at chance."""
    facts = course.facts
    is_checked = not np.isnan(course.validation_metric).all()
    values, count = (course.validation_metric, facts.checked) if is_checked else (course.train_metric, facts.images)
    if facts.chance_metric is None or np.isnan(values).all():
        return None
    chance = facts.chance_metric
    error = np.sqrt(chance * (1 - chance) / max(count, 1)) if facts.is_share else 0.0
    best, limit = int(np.nanargmax(values)), chance + LITTLE * (1 - chance) + ERRORS * error
    if values[best] >= limit:
        return None
    text = words.AT_CHANCE.format(
        split=words.VALIDATION if is_checked else words.TRAINING,
        metric=facts.metric,
        best=f"{values[best]:.3g}",
        epoch=best + 1,
        chance=f"{chance:.3g}",
        limit=f"{limit:.3g}",
    )
    return Evidence(text, [best + 1], {"best": float(values[best]), "chance": chance, "limit": float(limit)})


def unfinished(course: Course) -> Evidence | None:
    """The watched loss was still falling when the training ended."""
    loss, count = course.watched_loss, len(course)
    recent = max(1, round(RECENT * count))
    if count < 2 or np.isnan(loss).any():
        return None
    before, end = float(loss[: count - recent].min()), float(loss[-recent:].min())
    fall, whole = (before - end) / course.scale, (float(loss[0]) - end) / course.scale
    steady = fall > SLOW and fall / recent > PACE * whole / (count - 1)
    if not (fall > FALL or steady) or int(loss.argmin()) < count - recent:
        return None
    text = words.FALLING.format(
        n=recent,
        all=count,
        split=words.TRAINING if loss is course.train_loss else words.VALIDATION,
        before=f"{before:.3g}",
        end=f"{end:.3g}",
        share=f"{fall:.0%}",
        measure=course.measure,
        epoch=int(loss.argmin()) + 1,
    )
    return Evidence(text, list(range(count - recent + 1, count + 1)), {"before": before, "end": end, "fall": fall})


def training_harder(course: Course) -> Evidence | None:
    """What the training asks is harder than what the validation does: dropout, augmentation, wrong labels."""
    gap = (course.validation_metric - course.train_metric)[len(course) // 2 :]
    if len(gap) < 3 or np.isnan(gap).any() or np.median(gap) <= HARDER:
        return None
    middle = float(np.median(gap))
    text = words.HARDER.format(n=len(gap), metric=course.facts.metric, gap=f"{middle:.3g}")
    return Evidence(text, list(range(len(course) - len(gap) + 1, len(course) + 1)), {"gap": middle})
