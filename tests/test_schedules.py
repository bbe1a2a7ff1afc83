import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from assay import recipe as r
from assay.train.schedules import count_plateaus, rate_factor

STEPS, EPOCHS = 5, 12


def factors(schedule, losses=()):
    return [rate_factor(schedule, step, STEPS, EPOCHS, losses) for step in range(STEPS * EPOCHS)]


def torch_rates(make, per_epoch):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    for step in range(STEPS * EPOCHS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if not per_epoch or (step + 1) % STEPS == 0:
            scheduler.step()
    return rates


def test_step_is_torchs():
    expected = torch_rates(lambda o: lr_scheduler.StepLR(o, 5, 0.1), per_epoch=True)
    assert factors(r.Step(every=5, factor=0.1)) == pytest.approx(expected)


def test_multi_step_is_torchs():
    expected = torch_rates(lambda o: lr_scheduler.MultiStepLR(o, [3, 7], 0.2), per_epoch=True)
    assert factors(r.MultiStep(at=(3, 7), factor=0.2)) == pytest.approx(expected)


def test_cosine_is_torchs():
    expected = torch_rates(lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS * EPOCHS, 0.1), per_epoch=False)
    assert factors(r.Cosine(final=0.1)) == pytest.approx(expected)


def test_one_cycle_rises_to_the_rate_and_falls_to_its_end():
    values = factors(r.OneCycle(rise=0.25, start=0.04, final=0.001))
    peak = values.index(max(values))
    assert values[0] == pytest.approx(0.04)
    assert peak == STEPS * EPOCHS // 4
    assert max(values) == pytest.approx(1.0)
    assert values[-1] < 0.01
    assert values[: peak + 1] == sorted(values[: peak + 1])


def test_warm_up_is_linear_and_then_gone():
    values = factors(r.Constant(warmup=2))
    assert values[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert set(values[10:]) == {1.0}


def test_plateau_waits_for_its_patience():
    assert count_plateaus([3.0, 2.0, 2.0, 2.0], patience=2) == 1
    assert count_plateaus([3.0, 2.0, 2.0, 1.0, 2.0], patience=2) == 0
    assert count_plateaus([1.0] * 5, patience=2) == 2
    assert rate_factor(r.Plateau(patience=2, factor=0.1), 0, 1, 9, [3.0, 2.0, 2.0, 2.0]) == pytest.approx(0.1)


@given(
    st.sampled_from([r.Constant(), r.Step(), r.Cosine(), r.OneCycle(), r.MultiStep(at=(2,))]),
    st.floats(0, 4),
    st.integers(0, 59),
)
def test_no_schedule_exceeds_the_recipes_rate(schedule, warmup, step):
    factor = rate_factor(schedule.model_copy(update={"warmup": warmup}), step, STEPS, EPOCHS)
    assert 0 <= factor <= 1 + 1e-12
    assert math.isfinite(factor)
