"""Temperature scaling: one number that softens or sharpens all probabilities and changes no answer.

Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", arXiv:1706.04599, section 4.2.
"""

import math

import numpy as np
from jaxtyping import Float, Int64
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from assay.errors import AssayError

LARGEST = 100.0
"""Temperatures from 1/100 to 100 are looked at, or to the widest gap between an image's logits where that is more."""


def scaled(logits: Float[np.ndarray, "n classes"], temperature: float) -> Float[np.ndarray, "n classes"]:
    """Probabilities softmax(logits / temperature), in float64. Log-probabilities serve as logits as well."""
    return np.exp(log_softmax(np.asarray(logits, np.float64) / temperature, axis=1))  # type: ignore[no-any-return]


def shows_nothing(temperature: float, nll: float, classes: int) -> bool:
    """Whether the images that ``temperature`` was found on show no relation between confidence and being right.

    It is then at the upper end of its search, and the negative log-likelihood ``nll`` that it reaches, in nats, is not
    one percent below that of equal probabilities.
    """
    return temperature > 0.99 * LARGEST and nll > 0.99 * math.log(classes)


def find_temperature(logits: Float[np.ndarray, "n classes"], labels: Int64[np.ndarray, " n"]) -> float:
    """The temperature with the least negative log-likelihood of ``labels``, for images the network has not seen.

    The likelihood has one optimum: its logarithm is concave in 1/temperature. It has none where every label has the
    greatest logit, since ever sharper would be ever better; what such images say of calibration is nothing, and 1 is
    returned. So it is where all logits are equal. Raises AssayError for no images, and for logits not finite.
    """
    z = np.asarray(logits, dtype=np.float64)
    if len(z) == 0 or len(z) != len(labels):
        raise AssayError(f"temperature: found logits of {len(z)} images and {len(labels)} labels, expected both")
    if not np.isfinite(z).all():
        raise AssayError("temperature: the logits are not finite")
    z = z - z.max(axis=1, keepdims=True)
    of_label = z[np.arange(len(z)), labels]
    if (of_label == 0).all():
        return 1.0

    def nll(log_temperature: float) -> float:
        return float(-log_softmax(z * math.exp(-log_temperature), axis=1)[np.arange(len(z)), labels].mean())

    bounds = -math.log(LARGEST), math.log(max(LARGEST, -z.min()))
    found = minimize_scalar(nll, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return math.exp(found.x) if nll(found.x) < nll(0.0) else 1.0
