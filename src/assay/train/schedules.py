"""Learning-rate schedules as functions of the step and the history: a resumed run has nothing to restore."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from assay import recipe as r


@dataclass(frozen=True)
class Pace:
    """What a step of the optimizer is made with."""

    rate: float
    bias_rate: float
    momentum: float | None = None
    """None: the optimizer's own."""


def pace(config: r.Train, step: int, steps_per_epoch: int, validation_losses: Sequence[float | None] = ()) -> Pace:
    """The pace at ``step``, counted from 0 over the whole training, by schedule and warm-up.

    Of n steps of warm-up the k-th has k / n of the scheduled rate and, by as much, has left where the momentum and the
    rate of the biases begin.
    """
    rate = config.optimizer.lr * rate_factor(config.schedule, step, steps_per_epoch, config.epochs, validation_losses)
    warmup = config.warmup
    if warmup is None or step >= warmup.steps:
        return Pace(rate, rate)
    share, own = (step + 1) / warmup.steps, getattr(config.optimizer, "momentum", 0.0)
    momentum = None if warmup.momentum is None or not own else share * own + (1 - share) * warmup.momentum
    return Pace(share * rate, share * rate + (1 - share) * (warmup.bias or 0.0), momentum)


def rate_factor(
    schedule: r.AnySchedule,
    step: int,
    steps_per_epoch: int,
    epochs: int,
    validation_losses: Sequence[float | None] = (),
) -> float:
    """What the recipe's learning rate is multiplied by at ``step`` (counted from 0 over the whole training).

    ``validation_losses`` are those of the finished epochs; only the plateau schedule reads them. Warm-up is linear
    from one step's share to 1 and lies over the beginning of the schedule.
    """
    epoch = step // steps_per_epoch
    done = step / max(1, epochs * steps_per_epoch)
    warmup_steps = schedule.warmup * steps_per_epoch
    warm = min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
    match schedule:
        case r.Constant():
            factor = 1.0
        case r.Step(every=every, factor=drop):
            factor = drop ** (epoch // every)
        case r.MultiStep(at=at, factor=drop):
            factor = drop ** sum(epoch >= milestone for milestone in at)
        case r.Cosine(final=final):
            factor = _cosine(1.0, final, done)
        case r.OneCycle(rise=rise, start=start, final=final):
            up = done < rise
            factor = _cosine(start, 1.0, done / rise) if up else _cosine(1.0, final, (done - rise) / (1 - rise))
        case r.Plateau(patience=patience, factor=drop):
            factor = drop ** count_plateaus([loss for loss in validation_losses if loss is not None], patience)
    return float(warm * factor)


def count_plateaus(losses: Sequence[float], patience: int) -> int:
    """How often ``patience`` epochs in a row brought no new lowest loss; the count starts anew after each."""
    best, waited, plateaus = math.inf, 0, 0
    for loss in losses:
        if loss < best:
            best, waited = loss, 0
        else:
            waited += 1
        if waited == patience:
            plateaus, waited = plateaus + 1, 0
    return plateaus


def _cosine(start: float, end: float, done: float) -> float:
    """Half a cosine from ``start`` (done = 0) to ``end`` (done = 1)."""
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, done))) / 2
