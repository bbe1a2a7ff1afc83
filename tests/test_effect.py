"""Schedules and stoppings that come too late: what they come to, and what is said of it before training."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from assay import AssayError, Study, load_study
from assay import recipe as r
from assay.recipe.effect import acting, effective, late
from assay.runs.effect import check_effect, without_own_levels
from assay.train.schedules import rate_factor

BASE = {"data": {"source": "digits"}, "model": {"name": "mlp"}}


def recipe(**train: Any) -> r.Recipe:
    return r.Recipe.model_validate(BASE | {"train": train})


def study(tmp_path: Path, *changes: str, epochs: int = 4, **fields: Any) -> Study:
    train = {"epochs": epochs, **fields.pop("train", {})}
    (tmp_path / "s.yaml").write_text(yaml.safe_dump({"title": "t", "base": BASE | {"train": train}, **fields}))
    return load_study(tmp_path / "s.yaml", changes)


def told(study: Study) -> list[str]:
    found: list[str] = []
    check_effect(study, found.append)
    return found


# ----------------------------------------------------------------------------- what comes too late


@pytest.mark.parametrize(
    ("epochs", "schedule", "sentence"),
    [
        (
            4,
            {"name": "step", "every": 30},
            "after epoch 30, and the training ends after epoch 4",
        ),
        (4, {"name": "step", "every": 4}, "expected every: below 4"),
        (4, {"name": "multi_step", "at": [30, 60]}, "multi_step has milestones at 30, 60, and the training ends"),
        (4, {"name": "plateau", "patience": 3}, "plateau waits 3 epochs for a better loss, .*: at most 2"),
        (2, {"name": "plateau"}, "plateau waits 5 epochs for a better loss, .*; expected more epochs"),
        (4, {"name": "cosine", "warmup": 20}, "the warm-up takes 20 epochs, .* warmup: at most 4"),
    ],
)
def test_a_schedule_that_comes_to_nothing_is_refused(
    tmp_path: Path, epochs: int, schedule: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(AssayError, match=rf"^train\.schedule: .*{sentence}"):
        told(study(tmp_path, epochs=epochs, train={"schedule": schedule}))
    with pytest.raises(AssayError, match=rf"variant 'schedule=.*': train\.schedule: .*{sentence}"):
        told(study(tmp_path, epochs=epochs, vary={"train.schedule": ["constant", schedule]}))


@pytest.mark.parametrize(
    "schedule",
    [
        {"name": "step", "every": 3},
        {"name": "multi_step", "at": [3]},
        {"name": "plateau", "patience": 2},
        {"name": "cosine", "warmup": 4},
        {"name": "one_cycle"},
        "constant",
    ],
)
def test_one_that_still_has_an_effect_is_not(tmp_path: Path, schedule: Any) -> None:
    assert told(study(tmp_path, train={"schedule": schedule})) == []


SCHEDULES = (
    st.builds(r.Step, every=st.integers(1, 9))
    | st.builds(r.MultiStep, at=st.lists(st.integers(1, 9)).map(tuple))
    | st.builds(r.Plateau, patience=st.integers(1, 9))
)


@given(SCHEDULES, st.integers(1, 7))
def test_what_is_called_constant_is_and_nothing_else(schedule: Any, epochs: int) -> None:
    def rates(schedule: Any) -> list[float]:
        return [rate_factor(schedule, epoch, 1, epochs, [1.0] * epoch) for epoch in range(epochs)]

    found = acting(schedule, epochs)
    assert rates(found) == rates(schedule)
    assert isinstance(found, r.Constant) == (set(rates(schedule)) == {1.0})


def test_milestones_and_patience_that_are_merely_too_late_are_told(tmp_path: Path) -> None:
    some = {"schedule": {"name": "multi_step", "at": [2, 60]}, "early_stopping": {"patience": 3}}
    milestones, stopping = told(study(tmp_path, train=some))
    assert milestones.startswith("train.schedule: multi_step has milestones at 60, and the training ends after epoch 4")
    assert stopping.startswith("train.early_stopping: it waits 3 epochs for a better value")
    assert told(study(tmp_path, train={"early_stopping": {"patience": 2}})) == []


def test_each_phase_counts_its_own_epochs() -> None:
    step = {"name": "step", "every": 5}
    assert late(recipe(schedule=step, phases=[{"epochs": 3}, {"epochs": 6}])) == []
    (both,) = late(recipe(schedule=step, phases=[{"epochs": 3}, {"epochs": 5}]))
    assert both.sentence.startswith("train.schedule: step first lowers the rate after epoch 5, ")
    (own,) = late(recipe(phases=[{"epochs": 9, "schedule": step}, {"epochs": 4, "schedule": step}]))
    assert own.sentence.startswith("train.phases.1.schedule: step")


# ---------------------------------------------------------------------------------- trials


@pytest.mark.parametrize("change", ["train.epochs=1", "train.phases=[{epochs: 1}]"])
def test_epochs_that_are_set_for_a_trial_turn_the_mistake_into_a_warning(tmp_path: Path, change: str) -> None:
    steps = {"schedule": {"name": "step", "every": 3}}
    assert told(study(tmp_path, train=steps)) == []
    (line,) = told(study(tmp_path, change, train=steps))
    assert line.startswith(
        "train.schedule: step first lowers the rate after epoch 3, and the training ends after epoch 1"
    )
    with pytest.raises(AssayError, match="step first lowers"):
        told(study(tmp_path, "train.schedule.every=30", train=steps))


@pytest.mark.parametrize("schedule", [{"name": "step", "every": 3}, {"name": "multi_step", "at": [3]}])
def test_of_a_single_epoch_no_number_is_asked_that_cannot_be_given(schedule: dict[str, Any]) -> None:
    (one,), (two,) = (late(recipe(schedule=schedule, epochs=epochs)) for epochs in (1, 2))
    assert one.sentence.endswith("; expected more epochs")
    assert two.sentence.endswith(": below 2")


def test_epochs_that_are_varied_turn_it_into_one_too(tmp_path: Path) -> None:
    steps = {"schedule": {"name": "step", "every": 3}}
    (line,) = told(study(tmp_path, train=steps, vary={"train.epochs": [2, 4]}))
    assert line.startswith("variant 'epochs=2': train.schedule: step")


# ---------------------------------------------------------------------------------- variants that train alike


def test_variants_that_train_alike_are_refused_and_in_a_trial_told(tmp_path: Path) -> None:
    patience = {"train.early_stopping": [None, {"patience": 3}]}
    alike = "variants 'early_stopping=none' and 'early_stopping=patience=3' train alike: .* within 4 epochs"
    with pytest.raises(AssayError, match=alike):
        told(study(tmp_path, vary=patience))
    stopping, same = told(study(tmp_path, "train.epochs=3", vary=patience))
    assert stopping.startswith("variant 'early_stopping=patience=3': train.early_stopping: it waits 3")
    assert "train alike" in same
    assert told(study(tmp_path, epochs=5, vary=patience)) == []


def test_milestones_after_the_end_make_no_difference(tmp_path: Path) -> None:
    milestones = {"train.schedule": [{"name": "multi_step", "at": [2, last]} for last in (9, 60)]}
    with pytest.raises(AssayError, match="train alike"):
        told(study(tmp_path, vary=milestones))


def test_what_has_an_effect_is_left_as_it_is() -> None:
    one = recipe(epochs=9, schedule={"name": "multi_step", "at": [3, 6]}, early_stopping={"patience": 7})
    assert effective(one) == (one,)


# ------------------------------------------------------------------- what the network's builder has by itself


def test_a_level_that_is_the_builders_default_is_the_base_of_one_at_a_time(tmp_path: Path) -> None:
    vary = {"model.activation": ["relu", "tanh"], "model.dropout": [0.0], "train.batch_size": [64]}
    asked = study(tmp_path, "train.epochs=3", vary=vary, design="one_at_a_time")
    found = without_own_levels(asked)
    assert list(found.plan) == ["base", "activation=tanh", "batch_size=64"]
    assert found.epochs_are_set
    assert all(found.plan[name].recipe == asked.plan[name].recipe for name in found.plan)
    grid = study(tmp_path, vary=vary)
    assert without_own_levels(grid) is grid


def test_an_argument_that_is_not_the_networks_is_left_for_the_check(tmp_path: Path) -> None:
    asked = study(tmp_path, vary={"model.pool": ["max"], "model.hidden": [[256, 128]]}, design="one_at_a_time")
    assert list(without_own_levels(asked).plan) == ["base", "pool=max"]
