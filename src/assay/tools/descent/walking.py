"""SGD, momentum and Adam on z = a·x² + b·y², step by step, and the same by torch.optim."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import sqrt

import torch

from assay.language.speech import later

STEPS = 60
MOMENTUM = 0.9
BETAS = (0.9, 0.999)
EPSILON = 1e-8
FAR = 1e6
"""A walk that has gone so far ends."""


@dataclass(frozen=True)
class Surface:
    """z = a·x² + b·y²."""

    name: str
    formula: str
    words: str
    curvature: tuple[float, float]
    """a and b."""
    start: tuple[float, float]
    extent: tuple[float, float]
    """Half of the width and of the height that are drawn."""
    rates: Mapping[str, float]
    """In words → learning rate, of SGD and momentum."""
    adam: Mapping[str, float]
    """The same words → that of Adam, whose steps are about as long as its rate."""

    def z(self, place: tuple[float, float]) -> float:
        """The height at (x, y)."""
        return sum(a * p * p for a, p in zip(self.curvature, place, strict=True))

    def gradient(self, place: tuple[float, float]) -> tuple[float, float]:
        """(2·a·x, 2·b·y)."""
        x, y = (2 * a * p for a, p in zip(self.curvature, place, strict=True))
        return x, y


SURFACES = (
    Surface(
        later("saddle"), "z = x² − y²",
        later("A saddle: a valley along x, a ridge along y. In the middle the gradient is 0 though it is no minimum; "
        "who starts near the valley's floor gets there and lingers, until what is left of y has grown. There is no "
        "lowest point: who leaves goes down for ever."),
        (1.0, -1.0), (-1.8, 0.001), (2.0, 1.5),
        {"low": 0.01, "fitting": 0.1, "high": 0.9}, {"low": 0.01, "fitting": 0.1, "high": 0.5},
    ),
    Surface(
        later("ravine"), "z = 0.1·x² + 2·y²",
        later("A ravine: twenty times as steep across as along. A rate that suits the walls is slow along the floor; "
        "above 0.5 each step of SGD across is longer than the last."),
        (0.1, 2.0), (-9.0, 1.0), (10.0, 2.0),
        {"low": 0.05, "fitting": 0.4, "high": 0.51}, {"low": 0.05, "fitting": 0.4, "high": 2.0},
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Step:
    """Where a walk is, and the step from there; pairs are (along x, along y)."""

    place: tuple[float, float]
    z: float
    gradient: tuple[float, float]
    memory: tuple[float, float]
    """Momentum's velocity, Adam's first moment, after this gradient; of SGD the gradient."""
    square: tuple[float, float] = field(default=(0.0, 0.0))
    """Adam's second moment."""
    move: tuple[float, float] = field(default=(0.0, 0.0))
    """What is added to the place."""


Rule = Callable[[int, float, float, float, float], tuple[float, float, float]]
"""(number from 1, gradient, memory, square, rate) → memory, square and move, of one variable."""


def sgd(number: int, gradient: float, memory: float, square: float, rate: float) -> tuple[float, float, float]:
    """Against the gradient."""
    return gradient, 0.0, -rate * gradient


def momentum(number: int, gradient: float, memory: float, square: float, rate: float) -> tuple[float, float, float]:
    """Against a velocity: 0.9 of the last and the gradient (Polyak 1964, as torch writes it)."""
    velocity = MOMENTUM * memory + gradient
    return velocity, 0.0, -rate * velocity


def adam(number: int, gradient: float, memory: float, square: float, rate: float) -> tuple[float, float, float]:
    """Against the gradient's running mean over the root of its running square (Kingma and Ba, arXiv:1412.6980)."""
    mean = BETAS[0] * memory + (1 - BETAS[0]) * gradient
    power = BETAS[1] * square + (1 - BETAS[1]) * gradient**2
    of_mean, of_power = 1 - BETAS[0] ** number, 1 - BETAS[1] ** number
    return mean, power, -rate * (mean / of_mean) / (sqrt(power / of_power) + EPSILON)


RULES: Mapping[str, Rule] = {"SGD": sgd, "momentum": momentum, "Adam": adam}


def walk(surface: Surface, name: str, rate: float, steps: int = STEPS) -> Iterator[Step]:
    """The steps of one optimizer from the surface's start; it ends early where it has gone far."""
    place, memory, square = surface.start, (0.0, 0.0), (0.0, 0.0)
    for number in range(1, steps + 1):
        gradient = surface.gradient(place)
        along = [RULES[name](number, g, m, s, rate) for g, m, s in zip(gradient, memory, square, strict=True)]
        memory, square, move = ((x, y) for x, y in zip(*along, strict=True))
        yield Step(place, surface.z(place), gradient, memory, square, move)
        place = (place[0] + move[0], place[1] + move[1])
        if max(map(abs, place)) > FAR:
            return


def by_torch(surface: Surface, name: str, rate: float, steps: int = STEPS) -> Iterator[tuple[float, float]]:
    """The places of the same walk by torch.optim in double precision."""
    place = torch.tensor(surface.start, dtype=torch.float64, requires_grad=True)
    a = torch.tensor(surface.curvature, dtype=torch.float64)
    made: Mapping[str, Callable[[], torch.optim.Optimizer]] = {
        "SGD": lambda: torch.optim.SGD([place], rate),
        "momentum": lambda: torch.optim.SGD([place], rate, momentum=MOMENTUM),
        "Adam": lambda: torch.optim.Adam([place], rate, BETAS, EPSILON),
    }
    optimizer = made[name]()
    for _ in range(steps):
        x, y = place.tolist()
        yield x, y
        if max(abs(x), abs(y)) > FAR:
            return
        optimizer.zero_grad()
        (a * place.square()).sum().backward()
        optimizer.step()
