"""Variants that would train as if they were another one, told before anything is trained."""

from collections.abc import Callable, Sequence

from assay.errors import AssayError
from assay.recipe import Recipe, overrides
from assay.recipe.effect import Late, effective, late
from assay.recipe.study import Study
from assay.recipe.validation import mistakes


def without_own_levels(study: Study) -> Study:
    """The study without the levels that its base leaves to the network's builder and has anyway: with ``one_at_a_time``
    they are the base, not a change from it."""
    if study.design != "one_at_a_time":
        return study
    left = {key: [level for level in levels if not _is_own(study, key, level)] for key, levels in study.levels.items()}
    return study.varying({key: levels for key, levels in left.items() if levels})


def _is_own(study: Study, key: str, level: object) -> bool:
    """Whether the base's network has ``level`` at ``key``; False where there is no such network, told when it is
    tried."""
    from assay.models.catalogue import complete

    trees = study.base, overrides.put(study.base, key, level)
    if key.split(".")[0] != "model" or any(mistakes(Recipe, tree) for tree in trees):
        return False
    try:
        base, changed = (complete(Recipe.model_validate(tree)) for tree in trees)
    except AssayError:
        return False
    return base == changed


def check_effect(study: Study, warn: Callable[[str], None]) -> None:
    """Raise AssayError where a schedule comes to nothing within its training, and where variants train alike.

    Where the epochs are set for a trial (``--set train.epochs=1``), or are themselves what is varied, ``warn`` hears it
    instead, as it hears of milestones and patience that come too late without more harm.
    """
    plan = study.plan
    found: dict[Late, list[str]] = {}
    for name, variant in plan.items():
        for each in late(variant.recipe):
            found.setdefault(each, []).append(name)
    lines = {each: f"{of_variants(names, len(plan))}{each.sentence}" for each, names in found.items()}
    epochs = {tuple(stage.train.epochs for stage in variant.recipe.stages) for variant in plan.values()}
    is_trial = study.epochs_are_set or len(epochs) > 1
    mistakes = [line for each, line in lines.items() if each.is_mistake] or alike(study)
    if mistakes and not is_trial:
        raise AssayError("\n".join(mistakes))
    for line in [*lines.values(), *alike(study)]:
        warn(line)


def alike(study: Study) -> list[str]:
    """A sentence for each variant that trains as an earlier one does, whatever its recipe says."""
    first: dict[tuple[str, ...], str] = {}
    found = []
    for name, variant in study.plan.items():
        stages = effective(variant.recipe)
        other = first.setdefault(tuple(stage.hash for stage in stages), name)
        if other != name:
            epochs = variant.recipe.train.total_epochs
            course = "one epoch" if epochs == 1 else f"{epochs} epochs"
            why = f"what they differ in has no effect within {course}; leave one out"
            found.append(f"variants '{other}' and '{name}' train alike: {why}")
    return found


def of_variants(names: Sequence[str], all_of_them: int) -> str:
    """Whose mistake it is, before a sentence; nothing where it is everybody's."""
    if len(names) == all_of_them:
        return ""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"variant '{names[0]}'{more}: "
