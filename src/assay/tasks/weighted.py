"""Means in which some count more than others."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor


def weighted_mean(
    losses: Float[Tensor, "*shape"],
    weights: Float[Tensor, "*shape"],
    total: Callable[[Tensor], Tensor] | None = None,
) -> Float[Tensor, ""]:
    """Σ w·loss / Σ w; 0 where all weights are.

    With ``total``, which sums over the devices that share a batch, a device's part of it: Σ w·loss / n over its n
    losses, by the mean weight of all devices' losses, so that the mean of the parts by their n is that of the whole.
    """
    least = torch.finfo(torch.float32).tiny
    if total is None:
        return (weights * losses).sum() / weights.sum().clamp_min(least)
    weight, count = total(torch.stack([weights.sum(), weights.new_full((), weights.numel())])).unbind()
    return (weights * losses).mean() * (count / weight.clamp_min(least))
