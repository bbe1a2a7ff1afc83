"""The focus on what is hard."""

import torch
from jaxtyping import Float
from torch import Tensor


def focal(losses: Float[Tensor, "*shape"], gamma: float) -> Float[Tensor, "*shape"]:
    """(1 − p)^γ · −log p, from cross-entropies −log p: Lin et al., arXiv:1708.02002, equation 4.

    1 − p is kept off zero, where a power below one has no derivative.
    """
    return (-torch.expm1(-losses)).clamp_min(torch.finfo(losses.dtype).tiny) ** gamma * losses
