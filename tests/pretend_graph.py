"""CUDA graphs of the pretended card: what a step did is done again, on the same memory, without Python.

As a card does, a capture runs nothing: whatever it changed is as before it, and what asks for a number in it fails.
"""

import gc
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch
from torch.optim import optimizer
from torch.utils._pytree import tree_leaves

from pretend_card import NAME, SEEN, Card

NEW = ("empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided")
"""Operations whose result holds nothing yet."""


@dataclass
class Graph:
    """The operations of a step."""

    steps: list[tuple[Any, Any, Any, Any]] = field(default_factory=list)

    @torch.no_grad()
    def replay(self) -> None:
        """Once more, each result into the memory that it had."""
        for operation, args, kwargs, found in self.steps:
            again = operation(*args, **kwargs)
            for old, new in zip(tree_leaves(found), tree_leaves(again), strict=True):
                if isinstance(old, torch.Tensor) and old is not new:
                    old.copy_(new)


@contextmanager
def capturing(graph: Graph, **_: Any) -> Iterator[None]:
    """Meanwhile every operation is written down."""
    there = [(each.own, each.own.clone()) for each in gc.get_objects() if type(each) is Card]
    state = torch.get_rng_state()

    def record(operation: Any, args: Any, kwargs: Any, found: Any) -> None:
        returns = operation._schema.returns
        is_view = any(each.alias_info and not each.alias_info.is_write for each in returns)
        if not is_view and operation.name().removeprefix("aten::").partition(".")[0] not in NEW:
            graph.steps.append((operation, args, kwargs, found))

    SEEN.recorder = record
    try:
        yield
    finally:
        SEEN.recorder = None
        for tensor, before in there:
            tensor.copy_(before)
        torch.set_rng_state(state)


def take_over() -> None:
    """assay captures on the card as on CUDA's: its steps and optimizers are loaded with the name of the one for the
    other's."""
    stream = SimpleNamespace(wait_stream=lambda other: None)
    fakes = {
        "Stream": lambda device: stream,
        "current_stream": lambda device: stream,
        "stream": lambda stream: nullcontext(),
        "device": lambda device: nullcontext(),
        "CUDAGraph": Graph,
        "graph": capturing,
    }
    for name, fake in fakes.items():
        setattr(torch.cuda, name, fake)
    optimizer._foreach_supported_types.append(Card)  # by which it takes the kernels of a card
    for name in ("assay.train.optimizers", "assay.train.steps"):
        spec = importlib.util.find_spec(name)
        assert spec
        assert spec.loader
        assert spec.origin
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        text = spec.loader.get_source(name).replace('"cuda"', f'"{NAME}"')  # type: ignore[attr-defined]
        exec(compile(text, spec.origin, "exec"), module.__dict__)
