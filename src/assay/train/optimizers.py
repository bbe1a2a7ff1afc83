"""Recipe → torch optimizer, and its state as plain tensors."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from torch import Tensor, empty_like, nn, optim

from assay import recipe as r
from assay.errors import AssayError
from assay.models.encoded import Encoded
from assay.models.head import head_names

OPENED = ("encoder", "backbone", "model")
"""Children in whose place their members stand."""


def build_optimizer(
    config: r.SGD | r.Adam | r.AdamW | r.RMSprop, model: nn.Module, by_kind: bool = False
) -> optim.Optimizer:
    """The optimizer over the parameters that take gradients, in ``groups``: each has its ``share`` of the rate."""
    parameters = groups(model, config.layer_decay, by_kind or config.decayed != "all")
    if config.decayed == "weights":
        parameters = [group if group["kind"] == "weight" else group | {"weight_decay": 0.0} for group in parameters]
    kinds = {p.device.type for p in model.parameters()}
    fused, capturable = kinds <= {"cpu", "cuda"}, kinds == {"cuda"}
    match config:
        case r.SGD(lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=decay):
            return optim.SGD(parameters, lr, momentum, weight_decay=decay, nesterov=nesterov, fused=fused)
        case r.Adam(lr=lr, betas=betas, weight_decay=decay):
            return optim.Adam(parameters, lr, betas, weight_decay=decay, fused=fused, capturable=capturable)
        case r.AdamW(lr=lr, betas=betas, weight_decay=decay):
            return optim.AdamW(parameters, lr, betas, weight_decay=decay, fused=fused, capturable=capturable)
        case r.RMSprop(lr=lr, alpha=alpha, momentum=momentum, weight_decay=decay):
            return optim.RMSprop(parameters, lr, alpha, weight_decay=decay, momentum=momentum, capturable=capturable)


def groups(model: nn.Module, layer_decay: float, by_kind: bool = False) -> list[dict[str, Any]]:
    """The parameters that take gradients, by the share of the rate that they learn with, 1 in the head; and by kind.

    Each block's share is that of the block after it times ``layer_decay``; see ``blocks``. Parameters outside all of
    them belong to the first.
    """
    body, heads = blocks(model) if layer_decay < 1 else ([], [])
    kinds = kinds_of(model) if by_kind else {}
    found: dict[tuple[int, str], list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            depth = next((d for d, block in enumerate([*body, *heads]) if name.startswith(f"{block}.")), 0)
            found.setdefault((min(depth, len(body)), kinds.get(name, "any")), []).append(parameter)
    return [
        {"params": found[depth, kind], "share": layer_decay ** (len(body) - depth), "kind": kind}
        for depth, kind in sorted(found)
    ]


def kinds_of(model: nn.Module) -> dict[str, str]:
    """Of each parameter whether it is a ``weight`` (of two or more dimensions, and of no norm), a ``bias`` or another,
    such as a norm's gain."""
    kinds = {}
    for path, module in model.named_modules():
        for name, parameter in module.named_parameters(path, recurse=False):
            if name.rpartition(".")[2] == "bias":
                kinds[name] = "bias"
            else:
                is_norm = isinstance(module, nn.LayerNorm | nn.RMSNorm)
                kinds[name] = "weight" if parameter.ndim > 1 and not is_norm else "other"
    return kinds


def blocks(model: nn.Module) -> tuple[list[str], list[str]]:
    """The names of the blocks from the stem on, and of the head (some networks have several).

    Blocks are the children of the network in their order, of one that has an encoder those of the encoder, and in place
    of one that is a sequence of several its members; those without parameters do not count. Children called
    ``encoder``, ``backbone`` and ``model`` are opened too, as in torchvision's vit.
    """
    if isinstance(model, Encoded) and model.encoder_name:
        inside = [f"{model.encoder_name}.{name}" for name in learning(model.get_submodule(model.encoder_name))]
        rest = [name for name in model.rest_names if any(True for _ in model.get_submodule(name).parameters())]
        return list(opened(model, inside)), rest
    children = learning(model)
    try:
        heads = {name.partition(".")[0] for name in head_names(model)}
    except AssayError:  # a network of ours, or the head alone
        heads = set(children[-1:])
    body = opened(model, [name for name in children if name not in heads])
    return list(body), [name for name in children if name in heads]


def opened(model: nn.Module, names: Iterable[str]) -> Iterator[str]:
    """The modules called ``names``, but for sequences and encoders, in whose place their members stand."""
    for name in names:
        child = model.get_submodule(name)
        members = [f"{name}.{member}" for member in learning(child)]
        if name.rpartition(".")[2] in OPENED and members:
            yield from opened(model, members)
        elif isinstance(child, nn.Sequential | nn.ModuleList | nn.ModuleDict) and len(members) > 1:
            yield from members
        else:
            yield name


def learning(module: nn.Module) -> list[str]:
    """The names of the children that have parameters."""
    return [name for name, child in module.named_children() if any(True for _ in child.parameters())]


def optimizer_tensors(optimizer: optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as ``{"<parameter number>.<name>": tensor}``."""
    state = optimizer.state_dict()["state"]
    return {f"{n}.{name}": value for n, values in state.items() for name, value in values.items() if value is not None}


def restore_optimizer(optimizer: optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put ``optimizer_tensors`` back, each on the device and in the memory layout of its parameter.

    The count of steps lies with its parameter in fused and capturable optimizers only, as torch makes it.
    """
    parameters = [
        (p, group.get("fused") or group.get("capturable")) for group in optimizer.param_groups for p in group["params"]
    ]
    for key, value in tensors.items():
        number, name = key.split(".", 1)
        parameter, beside = parameters[int(number)]
        if value.shape == parameter.shape:
            place = empty_like(parameter, dtype=value.dtype)
        else:
            place = empty_like(value, device=parameter.device if beside else None)
        optimizer.state[parameter][name] = place.copy_(value)
