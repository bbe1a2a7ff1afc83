"""What answers to pictures: the network of a finished run, or a file that one was exported to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

from assay.recipe import Fit
from assay.recipe.data import Layout
from assay.tasks.contract import Answers

Pixels = UInt8[np.ndarray, "batch channels height width"]
"""Pictures in the size and colour that is asked for."""


@dataclass(frozen=True, eq=False)
class Answering:
    """A network, and what must be known to show it pictures and to read its answers."""

    task: str
    fit: Fit
    """How a picture comes to the size of ``about``."""
    about: dict[str, Any]
    """The run's data.json, and under ``measured`` what its metrics.json has for the answers."""
    device: torch.device
    ask: Callable[[Pixels], Answers]
    """What the task's ``said`` gives."""
    layout: Layout | None = None
    """How the run's source tells masks from pictures."""
