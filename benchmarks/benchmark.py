"""What the benchmarks share: where the data are, sides measured in turn, a line that says PASS or MISS."""

import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def fashion_mnist() -> Path:
    """The data root with Fashion-MNIST, from ``$ASSAY_DATA``; where there is none, say so and end with status 0."""
    root = Path(os.environ.get("ASSAY_DATA") or "data")
    if not (root / "fashion-mnist").is_dir() and not (root / "FashionMNIST").is_dir():
        print(f"skipped: no fashion-mnist in {str(root)!r} (set ASSAY_DATA to the folder that holds it)")
        sys.exit(0)
    return root


def card() -> "torch.device":
    """The CUDA card, named on the terminal; where there is none, say so and end with status 0."""
    import torch

    if not torch.cuda.is_available():
        print("skipped: no CUDA card here")
        sys.exit(0)
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, CUDA {torch.version.cuda}")
    return torch.device("cuda", 0)


def in_turn(rounds: int, **sides: Callable[[], float]) -> dict[str, float]:
    """Every side's median over ``rounds``; in each round they are measured one after the other, in the same weather."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, measure in sides.items():
            found[name].append(measure())
    return {name: statistics.median(values) for name, values in found.items()}


def weather() -> str:
    """What else may have decided the numbers."""
    import torch

    return f"{torch.get_num_threads()} threads, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}"


def verdict(what: str, value: float, target: float, unit: str = "", at_least: bool = False) -> None:
    """Print one result beside its target."""
    met = value >= target if at_least else value < target
    bound = "at least" if at_least else "under"
    print(f"{'PASS' if met else 'MISS'}  {what}: {value:.3g}{unit} (target: {bound} {target:g}{unit})")
