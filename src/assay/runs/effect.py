"""Variants that would train as if they were another one, told before anything is trained."""

from collections.abc import Callable, Sequence

from assay.errors import AssayError
from assay.recipe.effect import Late, effective, late
from assay.recipe.study import Study


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
            why = f"what they differ in has no effect within {epochs} epochs; leave one out"
            found.append(f"variants '{other}' and '{name}' train alike: {why}")
    return found


def of_variants(names: Sequence[str], all_of_them: int) -> str:
    """Whose mistake it is, before a sentence; nothing where it is everybody's."""
    if len(names) == all_of_them:
        return ""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"variant '{names[0]}'{more}: "
