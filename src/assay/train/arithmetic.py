"""What a training computes with, for as long as it lasts: the precision of products, and compiled code."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from assay.errors import RunFailed
from assay.recipe import Train


@contextmanager
def arithmetic(model: nn.Module, config: Train) -> Iterator[None]:
    """Matrix products in TF32 and ``model`` compiled, where ``config`` asks for it; as before after the block.

    Raises RunFailed where the network, or this machine, cannot compile.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if config.precision == "tf32" else "highest")
    try:
        if not config.compile:
            yield
            return
        from torch._dynamo.exc import TorchDynamoException

        model.compile(dynamic=False)  # in place: the names of its weights stay
        try:
            yield
        except TorchDynamoException as error:
            raise RunFailed(f"train.compile: {str(error).splitlines()[0]}") from None
    finally:
        model._compiled_call_impl = None
        torch.set_float32_matmul_precision(before)


def laid_out(images: Tensor, config: Train) -> Tensor:
    """The batch in the memory layout of the recipe; features that are no maps have only one."""
    maps = config.channels_last and images.ndim == 4
    return images.contiguous(memory_format=torch.channels_last) if maps else images
