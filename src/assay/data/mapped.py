"""Arrays as tensors, without a copy."""

import warnings

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor


def as_tensor(array: Shaped[np.ndarray, "..."]) -> Tensor:
    """The same memory, a read-only memory map too: index it, never write to it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)
