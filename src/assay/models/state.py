"""The tensors of a network: copied, written, and put back.

Modules mark what they write with the version of their format, and some refuse to read tensors without one.
"""

from collections.abc import Mapping

import safetensors.torch
from torch import Tensor, nn

from assay.errors import AssayError


def snapshot(network: nn.Module) -> dict[str, Tensor]:
    """A copy of the tensors that later training does not change."""
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def restore(network: nn.Module, tensors: Mapping[str, Tensor], strict: bool = True) -> None:
    """Put tensors under the names of this network's format into it; ``strict``: all of them and no others.

    Raises RuntimeError where they do not fit.
    """
    given = network.state_dict()  # it carries the versions
    given.clear()
    given.update(tensors)
    network.load_state_dict(given, strict=strict)


def packed(network: nn.Module) -> bytes:
    """The tensors as the bytes of a safetensors file; those that share their memory are written apart."""
    return safetensors.torch.save({name: value.cpu().contiguous() for name, value in snapshot(network).items()})


def check_kept(network: nn.Module) -> None:
    """Raise AssayError where the network, once trained, could not be written and read back; it stays as it is."""
    try:
        restore(network, safetensors.torch.load(packed(network)))
    except (RuntimeError, ValueError, AttributeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise AssayError(f"the network could not be kept, since its tensors are not read back ({reason})") from None
