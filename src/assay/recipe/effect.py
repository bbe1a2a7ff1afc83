"""What of a training has an effect: a schedule or a patience that waits for longer than it lasts changes nothing.

Nor does a moving average of which nothing stays.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from assay.recipe.optimizers import AnySchedule, Constant, MultiStep, Plateau, Step
from assay.recipe.recipe import Recipe
from assay.recipe.train import EarlyStopping, Train, WarmUp


@dataclass(frozen=True)
class Late:
    """Something that the recipe asks for after the end of its training."""

    sentence: str
    """The key, what waits for how long, what was expected."""
    is_mistake: bool
    """Whether it is a schedule that comes to nothing; else a part of one, or a stopping that is never needed."""


def effective(recipe: Recipe) -> tuple[Recipe, ...]:
    """The stages of a recipe without what comes too late or to nothing: equal where two recipes train alike."""
    return tuple(_without_late(stage) for stage in recipe.stages)


def _without_late(stage: Recipe) -> Recipe:
    train = stage.train
    stopping = train.early_stopping
    may_stop = stopping is not None and _is_waited_out(stopping.patience, train.epochs)
    changes = {
        "optimizer": train.optimizer.model_copy(update={} if train.optimizer.weight_decay else {"decayed": "all"}),
        "warmup": warming(train),
        "schedule": acting(train.schedule, train.epochs),
        "early_stopping": stopping if may_stop else None,
        "ema": train.ema if train.ema and train.ema.decay else None,
    }
    return stage.model_copy(update={"train": train.model_copy(update=changes)})


def acting(schedule: AnySchedule, epochs: int) -> AnySchedule:
    """What a schedule comes to in so many epochs: constant, if it would first lower the rate after the last one."""
    match schedule:
        case MultiStep(at=at) if within := tuple(milestone for milestone in at if milestone < epochs):
            return schedule.model_copy(update={"at": within})
        case MultiStep():
            return Constant(warmup=schedule.warmup)
        case Step(every=every) if every >= epochs:
            return Constant(warmup=schedule.warmup)
        case Plateau(patience=patience) if not _is_waited_out(patience, epochs):
            return Constant(warmup=schedule.warmup)
    return schedule


def warming(train: Train) -> WarmUp | None:
    """What a warm-up comes to: none in one step, which has the whole rate; nor of a momentum that is not there."""
    warmup = train.warmup
    if warmup is None or warmup.steps == 1:
        return None
    has_momentum = getattr(train.optimizer, "momentum", 0.0) > 0
    return warmup if has_momentum else warmup.model_copy(update={"momentum": None})


def late(recipe: Recipe) -> list[Late]:
    """What of a recipe's training comes too late; what several phases take from ``train``, in the longest of them."""
    asked: dict[str, tuple[AnySchedule | EarlyStopping | None, int]] = {}
    for number, stage in enumerate(recipe.stages):
        given = recipe.train.phases[number].given if recipe.train.phases else {}
        for name in ("schedule", "early_stopping"):
            key = f"train.phases.{number}.{name}" if name in given else f"train.{name}"
            epochs = max(stage.train.epochs, asked[key][1] if key in asked else 0)
            asked[key] = getattr(stage.train, name), epochs
    return [
        Late(f"{key}: {waits}, and the training ends after epoch {epochs}; expected {expected}", is_mistake)
        for key, (part, epochs) in asked.items()
        for waits, expected, is_mistake in _late(part, epochs)
    ]


def _late(part: AnySchedule | EarlyStopping | None, epochs: int) -> Iterator[tuple[str, str, bool]]:
    """(What waits for how long, what was expected, whether it comes to nothing) for what comes too late."""
    patience = f"patience: at most {epochs - 2}" if epochs > 2 else "more epochs"
    steps, milestones = (f"{key}: below {epochs}" if epochs > 1 else "more epochs" for key in ("every", "at"))
    if part is not None and not isinstance(part, EarlyStopping) and part.warmup > epochs:
        yield f"the warm-up takes {part.warmup:g} epochs", f"warmup: at most {epochs}", True
    match part:
        case Step(every=every) if every >= epochs:
            yield f"step first lowers the rate after epoch {every}", steps, True
        case MultiStep(at=at) if missed := [milestone for milestone in at if milestone >= epochs]:
            named = ", ".join(map(str, missed))
            yield f"multi_step has milestones at {named}", milestones, len(missed) == len(at)
        case Plateau(patience=waited) if not _is_waited_out(waited, epochs):
            yield f"plateau waits {waited} epochs for a better loss", patience, True
        case EarlyStopping(patience=waited) if not _is_waited_out(waited, epochs):
            yield f"it waits {waited} epochs for a better value", patience, False


def _is_waited_out(patience: int, epochs: int) -> bool:
    """Whether, after a first epoch that is the best, ``patience`` more can pass before the last one begins."""
    return patience <= epochs - 2
