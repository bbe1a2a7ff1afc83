"""One step of training: forward, loss, backward, clip, optimizer, average; on a CUDA card captured once and replayed.

A replayed step is the same kernels on the same numbers, so its weights are those of a step run from Python to the last
bit, but nothing waits for Python between them.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn, optim

from assay.data.mixing import Mixed
from assay.recipe import Train
from assay.tasks.contract import Images, Step, Sums, Target
from assay.train.accumulation import Part
from assay.train.average import Average
from assay.train.devices import ALONE, Devices
from assay.train.recording import Recording
from assay.train.schedules import Pace

PRECISIONS = {
    "float32": torch.float32,
    "tf32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
WHOLE = Part(0)
_BEFORE = 3
"""Steps run from Python before one is captured: libraries set themselves up in them."""


@dataclass
class Steps:
    """A network in training."""

    model: nn.Module
    learn: Step
    optimizer: optim.Optimizer
    scaler: torch.amp.GradScaler
    config: Train
    device: torch.device
    log: Callable[[str], None]
    devices: Devices = ALONE
    average: Average | None = None
    """Updated at the end of every step."""
    recording: Recording | None = None
    """Told of every step."""
    is_reached: bool = True
    """Whether every answer needs all that learns."""
    network: nn.Module = field(init=False)
    """What a batch is given to: the model, or what shares its gradients with other devices."""
    sums: Sums = field(default_factory=dict)
    """Of the batches since ``begin``."""
    _done: int = 0
    _captured: "_Captured | None" = None
    _why_not: str | None = None
    _settled: bool = True
    """Whether only the rate changes from step to step: a captured one would repeat its momentum for ever."""

    def __post_init__(self) -> None:
        """Find out what cannot be captured before anything is tried."""
        self._weights = [p for p in self.model.parameters() if p.ndim > 1 and p.requires_grad]
        if self.device.type != "cuda":
            self._why_not = "no card"
        elif self.devices.count > 1:
            self._why_not = "train.devices makes a step of several processes"
        elif self.config.accumulate > 1:
            self._why_not = "train.accumulate makes a step of several batches"
        elif not self.config.capture:
            self._why_not = "train.capture is false"
        elif self.scaler.is_enabled():
            self._why_not = "float16 looks at every step's gradients"
        if self.device.type == "cuda":
            self._stream = torch.cuda.Stream(self.device)
            if self._why_not:
                self.log(f"steps run from Python: {self._why_not}")
            for group in self.optimizer.param_groups:
                group["lr"] = torch.tensor(float(group["lr"]), device=self.device)

    def begin(self) -> None:
        """A new epoch: its sums are 0, and gradients are shared as in a training that goes on from here.

        torch's sharing lays them out anew after its first step, and on that the order of their sums depends.
        """
        self.network = self.model
        self.network = self.devices.joined(self.model, self.device, self.is_reached)
        for total in self.sums.values():
            total.zero_()
        if self.recording:
            self.recording.begin()

    def shown(self) -> AbstractContextManager[None]:
        """A block in which the network has the average of its weights, where there is one."""
        return self.average.shown() if self.average else nullcontext()

    def at(self, pace: Pace, step: int) -> None:
        """Set what the next step is made with; it is ``step``, counted from 0."""
        for group in self.optimizer.param_groups:
            rate = group["share"] * (pace.bias_rate if group["kind"] == "bias" else pace.rate)
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
            if pace.momentum is not None:
                group["momentum"] = pace.momentum
        self._settled = pace.momentum is None
        if self.average:
            self.average.at(step + 1)

    def __call__(self, images: Images, target: Target, part: Part = WHOLE) -> None:
        """Learn a batch, which is a part of a step."""
        if self._captured is not None and self._captured.fits(images, target):
            self._captured.replay(images, target)
        elif self._captured is not None or self._why_not:
            self._step(images, target, part)
        elif self._done < _BEFORE or not self._settled:
            self._aside(images, target)
        elif self._capture(images, target):
            self(images, target)
        else:
            self._step(images, target)
        self._done += 1

    def _step(self, images: Images, target: Target, part: Part = WHOLE) -> None:
        config, in_half = self.config, self.config.precision in ("bfloat16", "float16")
        with self.devices.learning(self.network, part.is_last):
            with torch.autocast(self.device.type, PRECISIONS[config.precision], enabled=in_half):
                loss, found = self.learn(self.network, images, target)
                if self.recording:
                    total = self.devices.total
                    self.recording.batch(total(part.own * loss) if total else loss)
                if config.l1:
                    loss = loss + config.l1 * sum(w.abs().sum() for w in self._weights)
                if config.accumulate > 1 or self.devices.count > 1:
                    loss = part.share * loss
            self.scaler.scale(loss).backward()
        if part.is_last:
            self._descend()
        for name, value in found.items():
            if name in self.sums:
                self.sums[name].add_(value)
            else:
                self.sums[name] = value.clone()

    def _descend(self) -> None:
        """A step of the optimizer with the gradients that there are."""
        if self.config.clip is not None or self.recording:
            self.scaler.unscale_(self.optimizer)
        if self.recording:
            self.recording.before()
        if self.config.clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.recording:
            self.recording.after()
        if self.average:
            self.average.update()
        self.optimizer.zero_grad()

    def _aside(self, images: Images, target: Target) -> None:
        """A step on the stream that will be captured."""
        self._stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self._stream):
            self._step(images, target)
        torch.cuda.current_stream(self.device).wait_stream(self._stream)

    def _capture(self, images: Images, target: Target) -> bool:
        """Whether the step could be captured; it was not run."""
        parts = _parts(target)
        if parts is None:
            self._why_not = f"what is true of a batch is of no fixed size ({type(target).__name__})"
        else:
            graph, held = torch.cuda.CUDAGraph(), _Captured(images.clone(), [part.clone() for part in parts])
            before = torch.cuda.current_stream(self.device)
            try:
                with (
                    torch.cuda.device(self.device),  # a capture waits for the current one
                    torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"),
                ):
                    self._step(held.images, _joined(target, held.parts))
                held.graph = graph
                self._captured = held
            except RuntimeError as error:
                _leave_capture(self.device, before)
                self.optimizer.zero_grad()
                self._why_not = f"the network cannot be captured ({str(error).splitlines()[0]})"
        self.log(f"steps run from Python: {self._why_not}" if self._why_not else "steps are captured as a CUDA graph")
        return self._captured is not None


@dataclass
class _Captured:
    """A step, and the memory that it reads its batch from."""

    images: Tensor
    parts: list[Tensor]
    graph: torch.cuda.CUDAGraph | None = None

    def fits(self, images: Tensor, target: Target) -> bool:
        """Whether the batch has the captured shapes."""
        parts = _parts(target)
        return (
            images.shape == self.images.shape
            and parts is not None
            and [part.shape for part in parts] == [part.shape for part in self.parts]
        )

    def replay(self, images: Tensor, target: Target) -> None:
        """The step on this batch."""
        assert self.graph is not None
        self.images.copy_(images)
        for own, part in zip(self.parts, _parts(target) or [], strict=True):
            own.copy_(part)
        self.graph.replay()


def _leave_capture(device: torch.device, stream: torch.cuda.Stream) -> None:
    """A capture that failed leaves its stream the current one, and the card's generator waiting for its end: go back to
    the ``stream`` of before, and give the generator the same state anew."""
    torch.cuda.set_stream(stream)
    generator = torch.cuda.default_generators[device.index]
    generator.graphsafe_set_state(generator.clone_state())


def _parts(target: Target) -> list[Tensor] | None:
    """The tensors of what is true of a batch; None where their shapes change from batch to batch."""
    if isinstance(target, Mixed):
        return [target.first, target.second, target.share]
    return [target] if isinstance(target, Tensor) else None


def _joined(target: Target, parts: list[Tensor]) -> Target:
    """The inverse: the same kind of target over other tensors."""
    return Mixed(*parts) if isinstance(target, Mixed) else parts[0]
