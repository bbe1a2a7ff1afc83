"""Recipe → torch optimizer, and its state as plain tensors."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from torch import Tensor, empty_like, nn, optim

from assay import recipe as r


def build_optimizer(config: r.SGD | r.Adam | r.AdamW | r.RMSprop, model: nn.Module) -> optim.Optimizer:
    """The optimizer over the parameters that take gradients; each group has its ``share`` of the rate."""
    parameters = groups(model, config.layer_decay)
    fused = all(p.device.type in ("cpu", "cuda") for p in model.parameters())
    match config:
        case r.SGD(lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=decay):
            return optim.SGD(parameters, lr, momentum, weight_decay=decay, nesterov=nesterov, fused=fused)
        case r.Adam(lr=lr, betas=betas, weight_decay=decay):
            return optim.Adam(parameters, lr, betas, weight_decay=decay, fused=fused)
        case r.AdamW(lr=lr, betas=betas, weight_decay=decay):
            return optim.AdamW(parameters, lr, betas, weight_decay=decay, fused=fused)
        case r.RMSprop(lr=lr, alpha=alpha, momentum=momentum, weight_decay=decay):
            return optim.RMSprop(parameters, lr, alpha, weight_decay=decay, momentum=momentum)


def groups(model: nn.Module, layer_decay: float) -> list[dict[str, Any]]:
    """The parameters that take gradients, by the share of the rate that they learn with: 1 in the last block.

    Each block's share is that of the block after it times ``layer_decay``. Blocks are the children of the network in
    their order, the last of which is the head. In place of another child that is a sequence of several stand its
    members, and in place of one that holds more than half of all parameters (the encoder of torchvision's vit) its
    blocks; those without parameters do not count. Parameters outside all of them belong to the first block.
    """
    if layer_decay == 1:
        return [{"params": [p for p in model.parameters() if p.requires_grad], "share": 1.0}]
    names = blocks(model)
    found: dict[int, list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            depth = next((d for d, block in enumerate(names) if name.startswith(f"{block}.")), 0)
            found.setdefault(depth, []).append(parameter)
    return [{"params": found[d], "share": layer_decay ** (len(names) - 1 - d)} for d in sorted(found)]


def blocks(model: nn.Module) -> list[str]:
    """The names of the blocks, from the stem to the head."""
    *body, head = learning(model)
    return [*opened(model, body, size(model) / 2), head]


def opened(model: nn.Module, names: Iterable[str], half: float) -> Iterator[str]:
    """The modules called ``names``; of a sequence of several its members, of another that holds most its children."""
    for name in names:
        child = model.get_submodule(name)
        members = [f"{name}.{member}" for member in learning(child)]
        if isinstance(child, nn.Sequential | nn.ModuleList) and len(members) > 1:
            yield from members
        elif members and size(child) > half:
            yield from opened(model, members, half)
        else:
            yield name


def size(module: nn.Module) -> int:
    """The number of its parameters."""
    return sum(p.numel() for p in module.parameters())


def learning(module: nn.Module) -> list[str]:
    """The names of the children that have parameters."""
    return [name for name, child in module.named_children() if any(True for _ in child.parameters())]


def optimizer_tensors(optimizer: optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as ``{"<parameter number>.<name>": tensor}``."""
    state = optimizer.state_dict()["state"]
    return {f"{n}.{name}": value for n, values in state.items() for name, value in values.items() if value is not None}


def restore_optimizer(optimizer: optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put ``optimizer_tensors`` back, each on the device and in the memory layout of its parameter.

    The count of steps lies with its parameter in fused optimizers only, as torch makes it.
    """
    parameters = [(p, group.get("fused")) for group in optimizer.param_groups for p in group["params"]]
    for key, value in tensors.items():
        number, name = key.split(".", 1)
        parameter, fused = parameters[int(number)]
        if value.shape == parameter.shape:
            place = empty_like(parameter, dtype=value.dtype)
        else:
            place = empty_like(value, device=parameter.device if fused else None)
        optimizer.state[parameter][name] = place.copy_(value)
