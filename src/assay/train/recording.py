"""What the steps of a training are like, epoch by epoch: kept where somebody asked, and changing no number of it.

Everything is added up on the device: nothing waits for it inside the loop, and a captured step keeps it too.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

COLUMNS = ("loss_noise", "step_size", "first_gradient", "last_gradient")
"""What a row of the history has more of."""


class Recording:
    """Sums over the steps of an epoch. Of the weights those with more than one axis that are trained."""

    def __init__(self, network: nn.Module) -> None:
        """Make room for a copy of the weights, which a step is measured from."""
        self._weights: list[Tensor] = [p for p in network.parameters() if p.ndim > 1 and p.requires_grad]
        self._before = [torch.empty_like(weight) for weight in self._weights]
        device = self._weights[0].device if self._weights else torch.device("cpu")
        self._jumps, self._steps, self._first, self._last = (torch.zeros((), device=device) for _ in range(4))
        self._loss = torch.full((), math.nan, device=device)
        self._batches, self._descents = torch.zeros((), device=device), torch.zeros((), device=device)

    def begin(self) -> None:
        """A new epoch."""
        for total in (self._jumps, self._steps, self._first, self._last, self._batches, self._descents):
            total.zero_()
        self._loss.fill_(math.nan)

    def batch(self, loss: Float[Tensor, ""]) -> None:
        """The loss of a batch, before the weights have learned from it."""
        jump = loss.detach().float() - self._loss
        self._jumps.add_(jump.square().nan_to_num(0.0))
        self._batches.add_(1)
        self._loss.copy_(loss.detach())

    @torch.no_grad()
    def before(self) -> None:
        """The weights and gradients that a step of the optimizer begins with."""
        if self._weights:
            torch._foreach_copy_(self._before, self._weights)
            for total, weight in ((self._first, self._weights[0]), (self._last, self._weights[-1])):
                if weight.grad is not None:
                    total.add_(weight.grad.square().mean().sqrt())

    @torch.no_grad()
    def after(self) -> None:
        """The weights that it leaves."""
        if self._weights:
            norm = torch.stack(torch._foreach_norm(self._before)).norm()
            torch._foreach_sub_(self._before, self._weights)  # type: ignore[arg-type]
            self._steps.add_(torch.stack(torch._foreach_norm(self._before)).norm() / norm)
        self._descents.add_(1)

    def row(self) -> dict[str, float | None]:
        """The epoch as ``COLUMNS``; None for what is not finite, or does not exist.

        ``loss_noise``: how far the losses of batches scatter, as the root of half the mean squared difference of
        neighbours, which a falling loss does not enlarge (von Neumann, Ann. Math. Stat. 12, 1941); of two batches or
        more. ``step_size``: the mean norm of a step, as a share of that of the weights. ``first_gradient``,
        ``last_gradient``: the mean root mean square of the gradient of the first and the last weights.
        """
        pairs, steps = self._batches.item() - 1, max(1.0, self._descents.item())
        noise = math.sqrt(self._jumps.item() / (2 * pairs)) if pairs > 0 else math.nan
        means = [
            total.item() / steps if self._weights else math.nan for total in (self._steps, self._first, self._last)
        ]
        values = zip(COLUMNS, (noise, *means), strict=True)
        return {name: value if math.isfinite(value) else None for name, value in values}
