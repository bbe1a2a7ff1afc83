"""TensorBoard event files beside a run, when they are asked for and the extra is installed."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def event_writer(folder: Path, finished_epochs: int, wanted: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A function that adds one epoch's history row to ``folder/tensorboard``; it does nothing when not wanted.

    On resume, events after ``finished_epochs`` are marked as superseded. A missing package is a warning.
    """
    if not wanted or not available():
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
    """Whether TensorBoard is installed; warns when it is not."""
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        message = (
            "TensorBoard is not installed, so no event files are written: pip install 'assay-studies[tensorboard]'"
        )
        warnings.warn(message, stacklevel=3)
        return False
    return True
