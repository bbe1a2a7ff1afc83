"""Ways downhill: steps worked out by hand, and all of them as torch.optim takes them."""

from pathlib import Path

import pytest

from assay.tools.descent.page import largest_difference, write_descent
from assay.tools.descent.walking import RULES, SURFACES, Surface, by_torch, walk

BOWL = Surface("bowl", "z = x² + y²", "", (1.0, 1.0), (1.0, -2.0), (2.0, 2.0), {"one": 0.1}, {"one": 0.1})


def places(name: str, steps: int) -> list[tuple[float, float]]:
    return [each.place for each in walk(BOWL, name, 0.1, steps)]


def test_the_first_steps_are_those_worked_by_hand() -> None:
    assert places("SGD", 3) == [pytest.approx(p) for p in ((1, -2), (0.8, -1.6), (0.64, -1.28))]
    # velocity 2, then 0.9 · 2 + 1.6 = 3.4
    assert places("momentum", 3)[2] == pytest.approx((0.8 - 0.34, -1.6 + 0.68))
    # the first step of Adam is as long as its rate, whatever the gradient
    assert places("Adam", 2)[1] == pytest.approx((0.9, -1.9))


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)
@pytest.mark.parametrize("name", RULES)
def test_every_step_is_torchs(surface: Surface, name: str) -> None:
    for word in surface.rates:
        rate = (surface.adam if name == "Adam" else surface.rates)[word]
        ours = [each.place for each in walk(surface, name, rate)]
        theirs = list(by_torch(surface, name, rate))[: len(ours)]
        assert ours == [pytest.approx(each, rel=1e-12, abs=1e-12) for each in theirs]


def test_above_half_sgd_leaves_the_ravine_and_at_a_fitting_rate_it_does_not() -> None:
    ravine = SURFACES[1]
    across = {rate: [abs(each.place[1]) for each in walk(ravine, "SGD", rate)] for rate in (0.4, 0.51)}
    assert across[0.51] == sorted(across[0.51])
    assert across[0.4][-1] < 1e-6


def test_the_page_is_small_and_says_how_near_torch_it_is(tmp_path: Path) -> None:
    path = write_descent(tmp_path)
    text = path.read_text("utf-8")
    assert path.stat().st_size < 400_000
    assert 'max="59" value="59"' in text  # whole walks, on paper too
    assert largest_difference() < 1e-12
    assert f"{largest_difference():.1g}" in text
