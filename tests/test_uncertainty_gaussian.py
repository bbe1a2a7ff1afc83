"""Injected dropout for numbers where it moves some images, outputs or rates, and not others."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from assay.errors import AssayError
from assay.evaluate import measure
from assay.uncertainty import (
    GaussianCalibration,
    Injection,
    calibrate_gaussian,
    gaussian_nll,
    predictive_gaussian,
)
from assay.uncertainty.gaussian import FLOORS, NothingVaries
from assay.uncertainty.injection import RATES
from assay.uncertainty.replay import replaying
from valued import trained, value_data

INJECTION = Injection(passes=20)


def resting(outputs: int = 1) -> nn.Sequential:
    """A network on (n, 4) whose hidden units are all 0 for inputs below 0."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, outputs))
    with torch.no_grad():
        network[0].weight.abs_()
        network[0].bias.fill_(-0.1)
        network[2].weight.mul_(0.1)
    return network


def noise(n: int, at_rest: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Inputs of which a share is at rest in ``resting``, and targets that have nothing to do with them."""
    random = np.random.default_rng(seed)
    x = random.uniform(0.5, 2, (n, 4)) * np.where(np.arange(n) < at_rest * n, -1, 1)[:, None]
    return torch.tensor(x, dtype=torch.float32), torch.tensor(random.normal(size=(n, 1)))


@pytest.mark.parametrize("at_rest", [0.005, 0.1, 0.5, 0.9])
def test_images_at_rest_do_not_widen_the_intervals_of_the_others(at_rest: float) -> None:
    network = resting()
    found = calibrate_gaussian(network, [noise(400, at_rest)], INJECTION)
    said = predictive_gaussian(network, [noise(400, at_rest, seed=1)], found, INJECTION)
    half = 1.6448536 * np.sqrt(said.variance)
    assert 0.85 < (np.abs(said.targets - said.mean) < half).mean() < 0.95
    assert half.min() > 0.7 * 1.6448536  # the errors have a deviation of about 1
    assert half.mean() < 1.2 * 1.6448536
    assert half.max() < 2 * 1.6448536
    assert gaussian_nll(said.mean, said.variance, said.targets) < 0.5 * math.log(2 * math.pi) + 0.6


def test_an_image_at_rest_gets_the_same_alone_as_among_others() -> None:
    network, (x, y) = resting(), noise(60, 0.1)
    found = calibrate_gaussian(network, [(x, y)], INJECTION)
    among = predictive_gaussian(network, [(x, y)], found, INJECTION)
    alone = predictive_gaussian(network, [(x[:1], y[:1])], found, INJECTION)
    assert alone.variance == pytest.approx(among.variance[:1])
    assert alone.variance == pytest.approx(np.atleast_2d(found.scale * found.floor))
    assert alone.mean == pytest.approx(among.mean[:1])


def test_rate_scale_and_floor_are_the_best_of_those_that_are_tried() -> None:
    network, (x, _) = resting(outputs=2), noise(50, 0.2)
    y = torch.randn(50, 2, generator=torch.Generator().manual_seed(3)) * torch.tensor([1.0, 5.0])
    found = calibrate_gaussian(network, [(x, y)], INJECTION)
    tried = {}
    with replaying(network) as replay:
        replay.first(x)
        for rate in RATES:
            passes = replay.draw(rate, 20, 0, 0).double()
            for share in FLOORS:
                variance = passes.var(dim=0) + share * passes.var(dim=0).mean(dim=0)
                squared = (y - passes.mean(dim=0)) ** 2
                scale = (squared / variance).mean(dim=0)
                density = torch.distributions.Normal(passes.mean(dim=0), (scale * variance).sqrt())
                nll = -density.log_prob(y.double()).mean().item()
                tried[nll] = rate, scale.tolist(), (share * passes.var(dim=0).mean(dim=0)).tolist()
    assert found.nll == pytest.approx(min(tried))
    rate, scale, floor = tried[min(tried)]
    assert found.rate == rate
    assert np.asarray(found.scale).tolist() == pytest.approx(scale)
    assert np.asarray(found.floor).tolist() == pytest.approx(floor)


def test_rates_that_move_nothing_are_not_taken() -> None:
    x, y = noise(1, 0)
    few = Injection(passes=2)  # 2 passes of 8 units: the lowest rates drop none
    found = calibrate_gaussian(resting(), [(x, y)], few)
    lowest = predictive_gaussian(resting(), [(x, y)], GaussianCalibration(RATES[0], 1.0, 0.0, 0.0), few)
    assert (lowest.variance == 0).all()
    assert found.rate > RATES[0]
    assert math.isfinite(found.nll)


def test_outputs_that_do_not_vary_are_told_apart_from_those_that_are_not_finite() -> None:
    still = resting()
    with pytest.raises(NothingVaries, match="outputs do not vary"):
        calibrate_gaussian(still, [noise(20, 1)], INJECTION)
    one_still = resting(outputs=2)
    nn.init.zeros_(one_still[2].weight[1])
    x, y = noise(20, 0)
    with pytest.raises(NothingVaries, match="outputs do not vary"):
        calibrate_gaussian(one_still, [(x, y.repeat(1, 2))], INJECTION)
    huge = resting()
    nn.init.constant_(
        huge[2].weight, 3e38 / huge[:2](x).sum(dim=1).max().item()
    )  # until dropout doubles what it leaves
    with pytest.raises(AssayError, match=r"with dropout of 0\.\d+ the network's outputs are not finite"):
        calibrate_gaussian(huge, [(x, y)], INJECTION)


def test_a_measure_with_images_at_rest_is_near_the_plain_one() -> None:
    random = np.random.default_rng(0)
    data = value_data(random.normal(size=(500, 1)), train=100, validation=200)
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.ReLU(), nn.Linear(8, 1))
    with torch.no_grad():
        network[1].weight.abs_()
        network[1].bias.fill_(2.0)  # 0 for the darkest images
        network[3].weight.mul_(0.1)
    found = measure(trained(data, network, evaluate=[{"name": "uncertainty", "passes": 20}]))
    plain, injected = found["width_90_plain"], found["width_90_injected"]
    assert isinstance(plain, float)
    assert isinstance(injected, float)
    assert 0.8 < injected / plain < 1.25
    assert found["coverage_90_injected"] == pytest.approx(0.9, abs=0.05)
    assert found["gaussian_nll_injected"] == pytest.approx(found["gaussian_nll_plain"], abs=0.1)


def test_a_measure_of_a_network_that_says_one_number_is_the_plain_one() -> None:
    data = value_data()
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 1))
    nn.init.zeros_(network[1].weight)
    found = measure(trained(data, network, evaluate=[{"name": "uncertainty", "passes": 3}]))
    assert {"gaussian_nll_plain", "validation_gaussian_nll_plain", "width_90_plain"} <= found.keys()
    assert not [name for name in found if "injected" in name or name.startswith(("dropout", "variance"))]
    assert set(found["intervals"]["method"]) == {"plain"}  # type: ignore[index, call-overload]
