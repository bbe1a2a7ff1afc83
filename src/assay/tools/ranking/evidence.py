"""LogME: how well a linear model with a Gaussian prior explains the labels by the features.

You, Liu, Wang, Long: LogME: Practical Assessment of Pre-trained Models for Transfer Learning, arXiv:2102.11005. For
each class, y (n,) is 1 where a row of the features F (n, d) has it and 0 elsewhere; under y ~ N(F w, 1/β) and
w ~ N(0, 1/α) the evidence of α and β is

    log p(y|F) = n/2 log β + d/2 log α − n/2 log 2π − β/2 ‖F m − y‖² − α/2 ‖m‖² − 1/2 log det A
    with A = α I + β FᵀF, m = β A⁻¹ Fᵀ y

and LogME its maximum over α and β, divided by n, averaged over the classes.

The paper finds the maximum by a fixed point that need not converge. Here β is solved for: with t = α/β, F = U S Vᵀ,
z = Uᵀy and r = ‖y‖² − ‖z‖², the best β is n / Q(t) for Q(t) = r + Σ zᵢ² t / (sᵢ² + t), and one number is left to find:

    ℓ(t) = n/2 log(n / Q(t)) − n/2 − n/2 log 2π + 1/2 Σ log(t / (sᵢ² + t))
"""

import numpy as np
from jaxtyping import Float, Float64, Int64
from scipy.optimize import minimize_scalar

from assay.errors import AssayError

GRID = np.linspace(-12, 12, 97) * np.log(10)
"""log(t / largest sᵢ²): first on this grid, then between the neighbours of its best point."""
FLOOR = 1e-12
"""Q is at least n times this: labels that features explain to the last digit would have an evidence without bound."""


def logme(features: Float[np.ndarray, "n d"], labels: Int64[np.ndarray, " n"]) -> float:
    """The larger, the better a linear model on the features should do; unchanged when they are rotated or scaled.

    Raises AssayError for fewer than two rows, labels that do not fit them, one class only, or values that are not
    finite.
    """
    if features.ndim != 2 or len(features) < 2 or labels.shape != features.shape[:1]:
        raise AssayError(f"logme: expected rows of features and a label each, got {features.shape} and {labels.shape}")
    if not np.isfinite(features).all():
        raise AssayError("logme: the features hold values that are not finite")
    classes = np.unique(labels)
    if len(classes) < 2:
        raise AssayError("logme: expected at least two classes")
    targets = (labels[:, None] == classes).astype(np.float64)
    squares, shares, rest = _spectrum(features.astype(np.float64), targets)
    return float(np.mean([_largest(len(labels), squares, z, r) for z, r in zip(shares.T, rest, strict=True)]))


def _spectrum(
    features: Float64[np.ndarray, "n d"], targets: Float64[np.ndarray, "n c"]
) -> tuple[Float64[np.ndarray, " k"], Float64[np.ndarray, "k c"], Float64[np.ndarray, " c"]]:
    """sᵢ², zᵢ² of every target, and what of each target lies outside the features' columns."""
    left, values, _ = np.linalg.svd(features, full_matrices=False)
    there = values > values[0] * max(features.shape) * np.finfo(np.float64).eps
    shares = (left[:, there].T @ targets) ** 2
    return values[there] ** 2, shares, np.maximum(targets.sum(axis=0) - shares.sum(axis=0), 0.0)


def _largest(n: int, squares: Float64[np.ndarray, " k"], shares: Float64[np.ndarray, " k"], rest: float) -> float:
    """The largest ℓ / n of one target."""
    if not len(squares):
        squares, shares = np.ones(1), np.zeros(1)

    def evidence(log_ratio: float) -> float:
        t = squares[0] * np.exp(log_ratio)
        unexplained = max(rest + float((shares * t / (squares + t)).sum()), n * FLOOR)
        fit = n / 2 * (np.log(n / unexplained) - 1 - np.log(2 * np.pi))
        return float(fit - np.log1p(squares / t).sum() / 2)

    best = int(np.argmax([evidence(g) for g in GRID]))
    bounds = GRID[max(best - 1, 0)], GRID[min(best + 1, len(GRID) - 1)]
    found = minimize_scalar(lambda g: -evidence(g), bounds=bounds, method="bounded", options={"xatol": 1e-8})
    return max(-float(found.fun), evidence(GRID[best])) / n
