"""TensorBoard event files beside a run, when they are asked for and the extra is installed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any


@contextmanager
def event_writer(folder: Path, finished_epochs: int, wanted: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A function that adds one epoch's history row to ``folder/tensorboard``; it does nothing when not wanted.

    On resume, events after ``finished_epochs`` are marked as superseded.
    """
    if not wanted:
        yield lambda row: None
        return
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder / "tensorboard"), purge_step=finished_epochs + 1) as writer:

        def add(row: dict[str, Any]) -> None:
            for name, value in row.items():
                if name != "epoch" and value is not None:
                    writer.add_scalar(name.replace("_", "/", 1), value, row["epoch"])
            writer.flush()

        yield add


def available() -> bool:
    """Whether TensorBoard is installed."""
    return find_spec("tensorboard") is not None
