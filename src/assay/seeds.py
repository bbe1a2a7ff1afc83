"""Randomness by name: each purpose has its own stream, a function of (seed, purpose, counters) alone.

Nothing has to be saved for a resumed run to draw the same numbers: the stream of epoch 7 is derived, not continued.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive(seed: int, purpose: str, *counters: int) -> int:
    """A 63-bit seed for ``purpose``; changing any part gives an unrelated stream."""
    text = "/".join([str(seed), purpose, *map(str, counters)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def numpy_generator(seed: int, purpose: str, *counters: int) -> np.random.Generator:
    """A NumPy generator for ``purpose``."""
    return np.random.default_rng(derive(seed, purpose, *counters))


def torch_generator(seed: int, purpose: str, *counters: int) -> "torch.Generator":
    """A CPU torch generator for ``purpose``."""
    import torch

    return torch.Generator().manual_seed(derive(seed, purpose, *counters))


@contextmanager
def scoped(seed: int, purpose: str, *counters: int) -> Iterator[None]:
    """Seed torch's global generators inside the block and restore them after it.

    For code that takes no generator: layer initialisation, dropout.
    """
    import torch

    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(derive(seed, purpose, *counters))
        yield
