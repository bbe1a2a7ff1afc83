"""How a network runs for a while: in evaluation mode, attention and recurrence in the open, watched by module."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients inside the block; after it every module is in its own mode again."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes.items():
            module.training = training


@contextmanager
def without_fused_attention() -> Iterator[None]:
    """Let attention take the path whose matrix products are counted, not a fused one."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


@contextmanager
def without_fused_recurrence(model: nn.Module) -> Iterator[None]:
    """The same of recurrent layers, where the model has any: without them no other layer becomes slower."""
    recurrent = any(isinstance(module, nn.RNNBase) for module in model.modules())
    backends: list[Any] = [torch.backends.mkldnn, torch.backends.cudnn] if recurrent else []
    enabled = [backend.enabled for backend in backends]
    try:
        for backend in backends:
            backend.enabled = False
        yield
    finally:
        for backend, was in zip(backends, enabled, strict=True):
            backend.enabled = was


@contextmanager
def watched(modules: Iterable[nn.Module], before: Callable[..., Any], after: Callable[..., Any]) -> Iterator[None]:
    """Call ``before`` (module, inputs) and ``after`` (module, inputs, output) around each call of the modules."""
    handles = [hook for m in modules for hook in (m.register_forward_pre_hook(before), m.register_forward_hook(after))]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
