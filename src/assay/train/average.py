"""The exponential moving average of a network's weights, beside the network while it learns."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from assay.recipe import MovingAverage


def decay_at(config: MovingAverage, step: int) -> float:
    """How much of the average stays at the update after ``step`` (from 1): decay · (1 − exp(−step / ramp)).

    The ramp, which soon forgets the first weights, is that of YOLOX (Ge et al. 2021, arXiv:2107.08430, yolox/utils/
    ema.py); without one it is the decay.
    """
    return config.decay * (1 - math.exp(-step / config.ramp)) if config.ramp else config.decay


def remembered(config: MovingAverage, steps: int) -> float:
    """The share of the first weights in the average after so many steps: the product of all decays."""
    return math.prod(decay_at(config, step) for step in range(1, steps + 1))


@dataclass(frozen=True)
class Average:
    """The averages of the parameters that learn, and of floating buffers, such as a batch norm's statistics.

    An update is average + (1 − d)·(weight − average) with d of ``decay_at``, as in timm's ModelEmaV3 and torch's
    AveragedModel. These take 1 − d from Python, which a captured step would repeat for ever; here it lies on the
    device, where it is filled before the step.
    """

    config: MovingAverage
    names: list[str]
    live: list[Tensor]
    """The network's own tensors, which are changed in place."""
    held: list[Tensor]
    """Their averages."""
    share: Tensor
    """1 − d."""

    def at(self, step: int) -> None:
        """Set what the next update takes of the weights: it is the one after ``step``, counted from 1."""
        self.share.fill_(1 - decay_at(self.config, step))

    def update(self) -> None:
        """Draw the averages towards the weights; may be captured."""
        difference = torch._foreach_sub(self.live, self.held)
        torch._foreach_mul_(difference, self.share)
        torch._foreach_add_(self.held, difference)

    def resume(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from the averages under the names of the network's tensors."""
        for name, held in zip(self.names, self.held, strict=True):
            held.copy_(tensors[name])

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Inside the block the network has the averages; after it, to the bit, its own weights again."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _exchange(self) -> None:
        for live, held in zip(self.live, self.held, strict=True):
            own = live.clone()
            live.copy_(held)
            held.copy_(own)


def averaged(model: nn.Module, config: MovingAverage) -> Average:
    """The average of ``model``, which begins with the weights as they are."""
    kept = model.state_dict().keys()
    tensors = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    tensors |= {name: b for name, b in model.named_buffers() if b.is_floating_point() and name in kept}
    live = list(tensors.values())
    return Average(
        config, list(tensors), live, [tensor.clone() for tensor in live], torch.ones((), device=live[0].device)
    )
