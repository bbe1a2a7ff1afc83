"""Recipe → torch optimizer, and its state as plain tensors."""

from collections.abc import Mapping

from torch import Tensor, empty_like, nn, optim

from assay import recipe as r


def build_optimizer(config: r.SGD | r.Adam | r.AdamW | r.RMSprop, model: nn.Module) -> optim.Optimizer:
    """The optimizer over the parameters that take gradients."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    fused = all(p.device.type in ("cpu", "cuda") for p in parameters)
    match config:
        case r.SGD(lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=decay):
            return optim.SGD(parameters, lr, momentum, weight_decay=decay, nesterov=nesterov, fused=fused)
        case r.Adam(lr=lr, betas=betas, weight_decay=decay):
            return optim.Adam(parameters, lr, betas, weight_decay=decay, fused=fused)
        case r.AdamW(lr=lr, betas=betas, weight_decay=decay):
            return optim.AdamW(parameters, lr, betas, weight_decay=decay, fused=fused)
        case r.RMSprop(lr=lr, alpha=alpha, momentum=momentum, weight_decay=decay):
            return optim.RMSprop(parameters, lr, alpha, weight_decay=decay, momentum=momentum)


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
