"""What Optuna decides of a search: the parameters of every trial, and whether one that falls behind is stopped.

Nothing of Optuna's is kept on disk: what it has to know of earlier trials it is told anew from their runs.
"""

import warnings
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError
from assay.recipe.design import Range, Search
from assay.results.metrics import lower_is_better
from assay.results.trials import Trial
from assay.seeds import derive

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

Vary = Mapping[str, list[Any] | Range]
REDUCTION = 4
"""Of so many trials that reach a rung one goes on; the rungs are after 1, 4, 16, … epochs."""


def need() -> None:
    """Raise AssayError where Optuna is not installed."""
    if find_spec("optuna") is None:
        raise AssayError("design: a search needs Optuna: pip install 'assay-studies[search]'")


def proposed(design: Search, vary: Vary, number: int, metric: str, before: Sequence[Trial]) -> dict[str, Any]:
    """The parameters of trial ``number``, from 1: dotted key → level.

    By chance and by Sobol's sequence a function of the number alone; by TPE of ``before`` too, the trials that are
    known, in their order.
    """
    import optuna

    space = {key: _distribution(levels) for key, levels in vary.items()}
    if design.search == "optuna":
        sampler: Any = optuna.samplers.TPESampler(seed=_seed("tpe", number))
        study = told(vary, metric, before, sampler=sampler)
        return _levels(vary, study.ask(space).params)
    if design.search == "random":
        sampler = optuna.samplers.RandomSampler(seed=_seed("random", number))
        return _levels(vary, told(vary, metric, (), sampler=sampler).ask(space).params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.QMCSampler(seed=_seed("sobol"), scramble=True)
    study = told(vary, metric, (), sampler=sampler)
    return _levels(vary, [study.ask(space) for _ in range(number)][-1].params)


def told(vary: Vary, metric: str, trials: Sequence[Trial], **options: Any) -> "optuna.Study":
    """Optuna's study in memory, with what is known of ``trials``; a failed one is known to have failed."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="minimize" if lower_is_better(metric) else "maximize", **options)
    space = {key: _distribution(levels) for key, levels in vary.items()}
    states = {"finished": optuna.trial.TrialState.COMPLETE, "stopped": optuna.trial.TrialState.PRUNED}
    for trial in trials:
        state = states.get(trial.state, optuna.trial.TrialState.FAIL)
        has_value = trial.value is not None
        frozen = optuna.trial.create_trial(
            state=state if has_value else optuna.trial.TrialState.FAIL,
            params=_internal(vary, trial.parameters),
            distributions=space,
            value=trial.value if has_value and state != optuna.trial.TrialState.FAIL else None,
            intermediate_values=dict(enumerate(trial.values, 1)),
        )
        study.add_trial(frozen)
    return study


def falls_behind(metric: str, others: Sequence[Trial], own: Trial) -> bool:
    """Whether asynchronous successive halving (Li et al., MLSys 2020) stops a trial at its last epoch.

    The ``others`` are those proposed before it, in their order, as far as they are: each is judged again as it was.
    """
    import optuna

    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=REDUCTION)
    study = told({}, metric, (), pruner=pruner)
    behind = False
    for trial in (*others, own):
        asked, behind = study.ask(), False
        for epoch, value in enumerate(trial.values, 1):
            asked.report(value, epoch)
            behind = asked.should_prune()
    return behind


def importances(vary: Vary, metric: str, trials: Sequence[Trial]) -> dict[str, float]:
    """How much each parameter matters among the trials that were trained to their end, by PED-ANOVA (Watanabe et al.,
    IJCAI 2023): shares that add up to 1, the largest first. Empty for fewer than ten trials, or without Optuna."""
    whole = [trial for trial in trials if trial.state == "finished" and trial.value is not None]
    if find_spec("optuna") is None or len(whole) < 10 or len(vary) < 2:
        return {}
    import optuna

    study = told(vary, metric, whole)
    found = optuna.importance.get_param_importances(study, evaluator=optuna.importance.PedAnovaImportanceEvaluator())
    return dict(found)


def _distribution(levels: list[Any] | Range) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not isinstance(levels, Range):
        return CategoricalDistribution(range(len(levels)))
    if levels.is_whole:
        return IntDistribution(int(levels.low), int(levels.high), log=levels.log)
    return FloatDistribution(float(levels.low), float(levels.high), log=levels.log)


def _levels(vary: Vary, found: Mapping[str, Any]) -> dict[str, Any]:
    """Of a list, the level itself for its place in it."""
    return {key: found[key] if isinstance(levels, Range) else levels[found[key]] for key, levels in vary.items()}


def _internal(vary: Vary, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Of a list, the place of the level in it."""
    return {
        key: parameters[key] if isinstance(levels, Range) else levels.index(parameters[key])
        for key, levels in vary.items()
    }


def _seed(purpose: str, *counters: int) -> int:
    """For a sampler, 32 bits."""
    return derive(0, f"search/{purpose}", *counters) % 2**32
