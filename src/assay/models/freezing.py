"""Parameters that stay as they are."""

import copy
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from assay.errors import AssayError, nearest
from assay.models.head import head_names


def freeze(network: nn.Module, rule: str | Sequence[str]) -> None:
    """Take gradients, hence weight decay too, from what ``rule`` names.

    ``"none"``; ``"backbone"``: all but the head of a network off the shelf; otherwise patterns such as ``"layer1*"`` on
    the dotted names of modules, for all inside them, and of parameters. Raises AssayError for a pattern that matches
    nothing that could learn, and where nothing is left to train.
    """
    if rule == "none":
        return
    parameters = dict(network.named_parameters())
    if rule == "backbone":
        heads = tuple(f"{name}." for name in head_names(network))
        frozen = {name for name in parameters if not name.startswith(heads)}
    else:
        patterns, known = ([rule], keywords(network)) if isinstance(rule, str) else (rule, ())
        if "backbone" in patterns and "backbone" in keywords(network) and not hasattr(network, "backbone"):
            raise AssayError("model.freeze: backbone stands alone, without a list; others are names of modules")
        frozen = {name for pattern in patterns for name in matched(pattern, parameters, known)}
    if len(frozen) == len(parameters):
        named = rule if isinstance(rule, str) else ", ".join(rule)
        raise AssayError(f"model.freeze: '{named}' freezes every parameter; nothing would be left to train")
    for name in frozen:
        parameters[name].requires_grad = False


def keywords(network: nn.Module) -> list[str]:
    """What can stand in place of patterns."""
    try:
        return ["none", "backbone"] if head_names(network) else ["none"]
    except AssayError:
        return ["none"]


def matched(pattern: str, parameters: Iterable[str], keywords: Iterable[str]) -> list[str]:
    """The parameters that a pattern names, by their own name or that of a module around them.

    AssayError where there are none, with the nearest name or keyword.
    """
    around = {name: [".".join(name.split(".")[:n]) for n in range(1, name.count(".") + 2)] for name in parameters}
    found = [name for name, names in around.items() if any(fnmatchcase(each, pattern) for each in names)]
    if not found:
        known = {*keywords, *(each for names in around.values() for each in names)}
        raise AssayError(f"model.freeze: no module or parameter is called {pattern!r}; {nearest(pattern, known)}")
    return found


def training(network: nn.Module) -> None:
    """Training mode, but for modules frozen whole: their batch norms keep their statistics, and they drop nothing.

    Features of a frozen backbone are then the same in every epoch, unless it drops right before its head.
    """
    network.train()
    for module in network.modules():
        parameters = list(module.parameters())
        if parameters and not any(p.requires_grad for p in parameters):
            module.eval()


def needs_two(model: nn.Module) -> bool:
    """Whether a batch norm would learn, which a batch of a single image does not let it."""
    trial = copy.deepcopy(model)
    training(trial)
    return any(isinstance(module, _BatchNorm) and module.training for module in trial.modules())
