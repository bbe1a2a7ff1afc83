"""The devices that train one network, each a share of every batch: cards under NCCL, processes under gloo.

torch's DistributedDataParallel gives every device the mean of their gradients. Each begins with the first one's tensors
and makes the same steps with them; what is not learned (validation, checkpoints, measures) is the first one's alone.
"""

import copy
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import psutil
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from assay.data.shares import Share
from assay.models.freezing import training
from assay.seeds import scoped
from assay.tasks.contract import Images, Total
from assay.train.norms import OverDevices

T = TypeVar("T")
_CPU = torch.device("cpu")
_MEETING, _WAITING = timedelta(minutes=2), timedelta(days=365)
"""For all to have found each other, and for what another one does meanwhile: whoever ends is noticed at once."""


@dataclass(frozen=True)
class Devices:
    """So many devices, and which of them is this process'."""

    number: int = 0
    """From 0."""
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether it is the one that validates and keeps."""
        return self.number == 0

    @property
    def share(self) -> Share:
        """Its part of every batch."""
        return Share(self.number, self.count)

    @property
    def noise(self) -> tuple[int, ...]:
        """What its stream of dropout and the like is told by from the first one's, which is that of one device."""
        return () if self.is_first else (self.number,)

    @property
    def total(self) -> Total | None:
        """The sum over all devices of a tensor that each has; None where it is the only one."""
        return None if self.count == 1 else _total

    def summed(self, values: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Each of the values' sum over all devices."""
        return values if self.count == 1 else {name: _total(value) for name, value in values.items()}

    def told(self, make: Callable[[], T]) -> T:
        """What the first device makes, on all of them."""
        if self.count == 1:
            return make()
        told = [make() if self.is_first else None]
        distributed.broadcast_object_list(told, device=_CPU)
        made: T = told[0]  # type: ignore[assignment]
        return made

    def alike(self, network: nn.Module) -> None:
        """Give the network the first device's tensors."""
        if self.count > 1:
            for tensor in network.state_dict().values():
                told = tensor.contiguous()
                distributed.broadcast(told, 0)
                tensor.copy_(told)

    @contextmanager
    def first_before_others(self) -> Iterator[None]:
        """A block that the first device has left before the others enter it: what it keeps, they find."""
        if not self.is_first:
            distributed.barrier()
        yield
        if self.is_first and self.count > 1:
            distributed.barrier()

    def joined(self, model: nn.Module, device: torch.device, is_reached: bool) -> nn.Module:
        """``model``, or around it what shares its gradients; ``is_reached``: each answer needs all that learns."""
        if self.count == 1:
            return model
        cards = [device] if device.type == "cuda" else None
        shared = DistributedDataParallel(model, device_ids=cards, find_unused_parameters=not is_reached)
        shared.broadcast_buffers = False  # in every step: they are equal as it is
        return shared

    @contextmanager
    def learning(self, network: nn.Module, is_last: bool) -> Iterator[None]:
        """A block that learns a part of a step, after the last of which all have the gradients of all."""
        if not isinstance(network, DistributedDataParallel):
            yield
            return
        with ExitStack() as stack:
            stack.enter_context(OverDevices())
            if not is_last:
                stack.enter_context(network.no_sync())
            yield


ALONE = Devices()


@contextmanager
def meeting(devices: Devices, device: torch.device, place: Path) -> Iterator[None]:
    """A block in which the processes of all ``devices``, each on its ``device``, speak with each other, after they have
    met by a file in the folder ``place``; over the machine's own loopback."""
    loop = next((name for name, own in psutil.net_if_addrs().items() if any(a.address == "127.0.0.1" for a in own)), "")
    if loop:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", loop)
    if device.type == "cuda":
        os.environ.setdefault("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0")  # else NCCL ends the process, not the run
        torch.cuda.set_device(device)
    store = distributed.FileStore(str(place / "met"), devices.count)  # type: ignore[attr-defined]
    store.set_timeout(_MEETING)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(
        backend, store=store, rank=devices.number, world_size=devices.count, timeout=_WAITING
    )
    try:
        yield
    finally:
        distributed.destroy_process_group()


def is_parting(error: BaseException) -> bool:
    """Whether an error says no more than that another device has gone."""
    words = ("gloo", "NCCL", "Connection closed by peer", "Connection reset by peer")
    is_lost = isinstance(error, RuntimeError) and any(word in str(error) for word in words)
    return is_lost or isinstance(error, distributed.DistError)


def is_reached(model: nn.Module, images: Images) -> bool:
    """Whether all that learns takes part in the answer to ``images``; by a copy, since statistics may move in it."""
    trial = copy.deepcopy(model)
    training(trial)
    with scoped(0, "trial"):
        trial(images).float().sum().backward()
    return all(parameter.grad is not None for parameter in trial.parameters() if parameter.requires_grad)


def _total(value: Tensor) -> Tensor:
    found = value.detach().clone()
    distributed.all_reduce(found)
    return found
