"""Batch norms whose batch lies on several devices: mean and variance are those of all its values.

torch.nn.SyncBatchNorm is for cards alone, and stands in place of a module, which a norm with an activation of its own
(timm's) would lose. Here the function under every batch norm is another while a batch is learned, on any device.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, distributed
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class OverDevices(TorchFunctionMode):
    """A block in which batch norms that learn do so from what all devices of the process group have."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """The call ``func``, or in place of that of a batch norm ours."""
        return (batch_norm if func is functional.batch_norm else func)(*args, **(kwargs or {}))


def batch_norm(
    x: Float[Tensor, "batch channels *rest"],
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Float[Tensor, "batch channels *rest"]:
    """As torch.nn.functional.batch_norm of the batches of all devices."""
    if not training:
        return functional.batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps)
    y, mean, variance, count = _Norm.apply(x, weight, bias, eps)  # type: ignore[no-untyped-call]
    if running_mean is not None and running_var is not None:
        running_mean.lerp_(mean.to(running_mean.dtype), momentum)
        running_var.lerp_((variance * count / (count - 1)).to(running_var.dtype), momentum)
    out: Tensor = y
    return out


class _Norm(torch.autograd.Function):
    """Ioffe & Szegedy 2015, arXiv:1502.03167, in float32. Moments are put together as in Chan, Golub, LeVeque 1983; the
    gradients of weight and bias are those of this device's values, which are added up with all others."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> tuple[Tensor, ...]:
        values, axes = x.float(), [0, *range(2, x.ndim)]
        own = values.mean(axes)
        spread = (values - _along(own, x)).square().sum(axes)
        told = torch.cat([own, spread, own.new_full((1,), x.numel() // x.shape[1])])
        every = [torch.empty_like(told) for _ in range(distributed.get_world_size())]
        distributed.all_gather(every, told)
        means, spreads, counts = torch.stack(every).split([len(own), len(own), 1], dim=1)
        count = counts.sum()
        mean = (counts * means).sum(dim=0) / count
        variance = (spreads + counts * (means - mean).square()).sum(dim=0) / count
        scale = (variance + eps).rsqrt()
        ctx.save_for_backward(x, weight, mean, scale, count)
        ctx.has_bias = bias is not None
        y = (values - _along(mean, x)) * _along(scale if weight is None else scale * weight, x)
        y = (y if bias is None else y + _along(bias, x)).to(x.dtype)
        ctx.mark_non_differentiable(mean, variance, count)
        return y, mean, variance, count

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, scale, count = ctx.saved_tensors
        gradient, axes = gradients[0].float(), [0, *range(2, x.ndim)]
        normed = (x.float() - _along(mean, x)) * _along(scale, x)
        sums = torch.stack([gradient.sum(axes), (gradient * normed).sum(axes)])
        plain, along = sums.clone()
        distributed.all_reduce(sums)
        first, second = sums / count
        back = gradient - _along(first, x) - normed * _along(second, x)
        back = back * _along(scale if weight is None else scale * weight, x)
        return back.to(x.dtype), None if weight is None else along, plain if ctx.has_bias else None, None


def _along(values: Tensor, x: Tensor) -> Tensor:
    """One value a channel, in the shape that goes with ``x``."""
    return values.view(1, -1, *[1] * (x.ndim - 2))
