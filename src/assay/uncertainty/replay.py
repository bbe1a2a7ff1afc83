"""Runs a network many times on one batch with dropout in chosen places; what lies before the first place runs once.

The first pass, with dropout at rest, keeps the outputs of all modules that end before the first place. In the passes
after it those modules give back what they gave, whatever class the network is of: only the rest is computed, and what
the network does between modules (a flatten, a sum). On the first batch two passes with dropout at rest must give the
first pass's output; a network that does not pass this test is run as a whole each time, and a warning says so.
"""

import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from assay.errors import AssayError
from assay.models.modes import evaluating
from assay.seeds import scoped
from assay.separation.capture import choose, first_outputs

Layers = str | Sequence[str]
"""``"head"``: before the last linear (or convolutional) layer. ``"own"``: the network's own dropout layers. Otherwise
after the modules that patterns such as ``"dense*"`` on the dotted names ask for, but those that give the network's
output itself: no logit is dropped."""

Places = dict[nn.Module, Literal["before", "after", "own"]]
"""Module → whether dropout is on its input or on its output, or is the module itself."""

WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
DROPOUT = nn.modules.dropout._DropoutNd


@dataclass
class Replay:
    """One network, one batch after another: ``first`` takes a batch, ``draw`` runs it again with dropout."""

    model: nn.Module
    layers: Layers
    hooks: ExitStack
    places: Places = field(default_factory=dict)
    rate: float | None = None
    """Of the injected dropout; None is at rest."""
    skips: bool | None = None
    """Whether what lies before the first place runs once; None before the first batch."""
    kept: list[tuple[nn.Module, Any]] = field(default_factory=list)
    """The calls that ended before the first place, in their order, with their outputs."""

    def first(self, inputs: Tensor) -> Float[Tensor, "batch outputs"]:
        """The output without dropout. The batch is remembered for ``draw``."""
        if not self.places:
            self.places = find_places(self.model, self.layers, inputs[:2])
            _add_dropout(self)
        self.inputs = inputs
        self.kept = []
        output = _recorded(self) if self.skips is not False else self.model(inputs)
        if not isinstance(output, Tensor) or output.ndim != 2:
            raise AssayError("uncertainty: expected a network whose output is one tensor (batch, outputs)")
        if not output.isfinite().all():
            raise AssayError("uncertainty: the network's outputs are not finite")
        if self.skips is None:
            self.skips = True
            rehearsals = [_again(self) for _ in range(2)]
            near = 1e-4 * float(output.abs().max())
            self.skips = all(float((output - r).abs().max()) <= near for r in rehearsals)
            if not self.skips:
                self.kept = []
                warnings.warn("uncertainty: every pass runs the whole network, which cannot be split", stacklevel=2)
        return output

    def draw(self, rate: float | None, passes: int, seed: int, batch: int) -> Float[Tensor, "passes batch outputs"]:
        """``passes`` outputs for the batch, with dropout of ``rate`` (None for ``"own"`` layers: their own rates).

        A function of (weights, inputs, rate, passes, seed, batch) alone: equal seeds draw equal masks at every rate.
        """
        own = [m for m, place in self.places.items() if place == "own" and isinstance(m, DROPOUT)]
        with scoped(seed, "dropout", batch), _training(own):
            self.rate = rate
            try:
                return torch.stack([_again(self) for _ in range(passes)])
            finally:
                self.rate = None


@contextmanager
def replaying(model: nn.Module, layers: Layers = "head") -> Iterator[Replay]:
    """A ``Replay`` of the network in evaluation mode without gradients; after the block the network is as it was.

    ``first`` raises AssayError for a pattern that matches no layer, with the nearest names, for layers that the forward
    pass never calls or that give the network's output itself, and for ``"own"`` of a network without dropout.
    """
    with ExitStack() as hooks, evaluating(model):
        yield Replay(model, layers, hooks)


def find_places(model: nn.Module, layers: Layers, inputs: Tensor) -> Places:
    """The modules where dropout acts; one forward pass tells in which order they are called."""
    named = dict(model.named_modules())
    if layers == "head":
        last = list(first_outputs(model, [name for name, m in named.items() if isinstance(m, WEIGHTED)], inputs))
        if not last:
            raise AssayError("layers: 'head' needs a linear or a convolutional layer, and this network calls none")
        return {named[last[-1]]: "before"}
    if layers == "own":
        if not (own := own_dropout(model)):
            raise AssayError("layers: 'own' needs a network with dropout layers, and this one has none")
        return dict.fromkeys(own, "own")
    chosen = choose(model, layers)
    called = first_outputs(model, [*chosen, ""], inputs)
    answer = called.pop("")
    if not called:
        raise AssayError(f"layers: the forward pass never calls {chosen[0]!r}, so dropout after it changes nothing")
    met = {name: output for name, output in called.items() if not _same(output, answer)}
    if not met:
        raise AssayError(f"layers: {chosen[0]!r} gives the network's output itself; expected a layer before it")
    for name, output in met.items():
        if not (isinstance(output, Tensor) and output.is_floating_point()):
            raise AssayError(f"layers: {name!r} gives {type(output).__name__}, and dropout needs one tensor of floats")
    return dict.fromkeys((named[name] for name in met), "after")


def own_dropout(model: nn.Module) -> list[nn.Module]:
    """The network's own dropout layers with a rate above 0."""
    return [m for m in model.modules() if isinstance(m, DROPOUT) and m.p > 0]


def _same(output: Any, answer: Any) -> bool:
    """Whether a module's output is the network's, if in another shape."""
    both_tensors = isinstance(output, Tensor) and isinstance(answer, Tensor)
    return both_tensors and torch.equal(output.flatten(), answer.flatten())


def _add_dropout(replay: Replay) -> None:
    def before(_: nn.Module, args: tuple[Any, ...]) -> Any:
        value, *others = args
        return None if replay.rate is None else (functional.dropout(value, replay.rate), *others)

    def after(_: nn.Module, args: Any, output: Tensor | None) -> Tensor | None:
        return None if replay.rate is None or output is None else functional.dropout(output, replay.rate)

    for module, place in replay.places.items():
        if place == "before":
            replay.hooks.callback(module.register_forward_pre_hook(before).remove)
        elif place == "after":
            replay.hooks.callback(module.register_forward_hook(after).remove)


def _recorded(replay: Replay) -> Any:
    """A whole pass that fills ``kept``. Of a plain ``nn.Sequential`` only the last output before the place matters."""
    under_way: list[tuple[nn.Module, list[tuple[nn.Module, Any]]]] = []
    reached = False

    def reach() -> None:
        nonlocal reached
        reached = True
        replay.kept = [call for _, calls in under_way for call in calls]

    def enter(module: nn.Module, args: Any) -> None:
        if not reached and replay.places.get(module) in ("before", "own"):
            reach()
        elif not reached:
            under_way.append((module, []))

    def leave(module: nn.Module, args: Any, output: Any) -> None:
        if reached:
            return
        under_way.pop()
        if under_way:
            parent, calls = under_way[-1]
            if type(parent).forward is nn.Sequential.forward:
                calls[:] = [(earlier, None) for earlier, _ in calls]
            calls.append((module, output))
        if replay.places.get(module) == "after":
            reach()

    with ExitStack() as hooks:
        for module in replay.model.modules():
            hooks.callback(module.register_forward_pre_hook(enter, prepend=True).remove)
            hooks.callback(module.register_forward_hook(leave).remove)
        return replay.model(replay.inputs)


def _again(replay: Replay) -> Tensor:
    """One pass, in which the calls in ``kept`` give what they gave."""
    outputs: dict[nn.Module, deque[Any]] = {}
    for module, output in replay.kept:
        outputs.setdefault(module, deque()).append(output)
    with ExitStack() as stack:
        for module, given in outputs.items():
            stack.callback(_restored(module))
            module.__dict__["forward"] = _giving(given, module.forward)
        result: Tensor = replay.model(replay.inputs)
    return result


def _giving(given: deque[Any], forward: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **named: given.popleft() if given else forward(*args, **named)


def _restored(module: nn.Module) -> Callable[[], None]:
    """What puts the module's forward back as it is now."""
    own = module.__dict__.get("forward")
    return (lambda: module.__dict__.update(forward=own)) if own else lambda: module.__dict__.pop("forward")


@contextmanager
def _training(dropouts: Sequence[DROPOUT]) -> Iterator[None]:
    """Dropout layers in training mode inside the block, in evaluation mode after it.

    Inside, none works in place: the pass after would get what it left of the kept outputs.
    """
    in_place = [module for module in dropouts if module.inplace]
    for module in dropouts:
        module.training, module.inplace = True, False
    try:
        yield
    finally:
        for module in dropouts:
            module.training, module.inplace = False, module in in_place
