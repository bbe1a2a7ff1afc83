"""What an interrupted run needs to go on: one safetensors file, replaced after every epoch."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from assay.tasks.metric import Metric

Weights = dict[str, Tensor]


@dataclass
class State:
    """A training as it stands after ``epoch`` finished epochs."""

    epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    model: Weights = field(default_factory=dict)
    best: Weights = field(default_factory=dict)
    """The weights (of an average, it) after the best epoch so far; empty when the last ones are kept."""
    average: Weights = field(default_factory=dict)
    """The network with the moving average of its weights, where the recipe asks for one."""
    optimizer: Weights = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)
    phase: int = 0
    """Which phase of the training it is in, counted from 0."""
    start: int = 0
    """Epochs that were finished before this phase."""
    begin: Weights = field(default_factory=dict)
    """The whole network as a later phase found it, where that phase trains, and ``model`` holds, the head alone."""

    @property
    def shown(self) -> Weights:
        """What the last epoch was validated with."""
        return self.average or self.model

    @property
    def kept(self) -> Weights:
        """What the training would keep if it ended now."""
        return self.best or self.shown

    def watched(self, watch: str, metrics: Iterable[Metric]) -> list[float]:
        """Per epoch the watched validation value, turned so that larger is better, as ``metrics`` know it; −∞ where it
        does not exist."""
        sign = next(-1 if metric.better == "lower" else 1 for metric in metrics if metric.name == watch)
        values = (row[f"validation_{watch}"] for row in self.history)
        return [-math.inf if value is None else sign * value for value in values]


def pack(state: State) -> bytes:
    """The state as the bytes of a safetensors file."""
    last_is_best = state.best is state.shown
    groups = {"model": state.model, "best": {} if last_is_best else state.best, "optimizer": state.optimizer}
    groups |= {"average": state.average, "begin": state.begin}
    tensors = {
        f"{group}/{name}": value.detach().cpu().contiguous()
        for group, values in groups.items()
        for name, value in values.items()
    }
    values = {"epoch": state.epoch, "history": state.history, "scaler": state.scaler, "last_is_best": last_is_best}
    values |= {"phase": state.phase, "start": state.start}
    tensors["state"] = torch.tensor(list(json.dumps(values).encode()), dtype=torch.uint8)
    return save(tensors)


def unpack(data: bytes) -> State:
    """The inverse of ``pack``."""
    tensors = load(data)
    values = json.loads(bytes(tensors.pop("state").tolist()))
    groups: dict[str, Weights] = {"model": {}, "best": {}, "average": {}, "optimizer": {}, "begin": {}}
    for key, tensor in tensors.items():
        group, name = key.split("/", 1)
        groups[group][name] = tensor
    state = State(
        values["epoch"],
        values["history"],
        **groups,
        scaler=values["scaler"],
        phase=values["phase"],
        start=values["start"],
    )
    if values["last_is_best"]:
        state.best = state.shown
    return state
