"""Runs for TensorBoard: event files in ``tensorboard/`` inside each run's folder."""

from collections.abc import Sequence

from assay.system.extras import need
from assay.tools.tracking.mirror import Mirror


def check() -> None:
    """Raise AssayError where TensorBoard is not installed."""
    need("tensorboard", extra="tensorboard")


def write(mirrors: Sequence[Mirror]) -> str:
    """Write each run anew; returns how to look at them."""
    for mirror in mirrors:
        write_one(mirror)
    return f"tensorboard --logdir {mirrors[0].folder.parent.parent}"


def write_one(mirror: Mirror) -> None:
    """Replace the event files of a run: scalars by epoch, hyperparameters, and the recipe as a text."""
    from torch.utils.tensorboard import SummaryWriter
    from torch.utils.tensorboard.summary import hparams

    folder = mirror.folder / "tensorboard"
    earlier = list(folder.glob("events.out.tfevents.*"))
    with SummaryWriter(str(folder)) as writer:
        for summary in hparams(mirror.parameters, mirror.final):
            writer._get_file_writer().add_summary(summary)
        for epoch in mirror.history:
            for name, value in epoch.values.items():
                writer.add_scalar(name, value, epoch.number, walltime=epoch.ended)
        last = mirror.history[-1].number
        for name, value in mirror.final.items():
            writer.add_scalar(name, value, last, walltime=mirror.ended)
        for file in mirror.files:
            text = f"```\n{file.read_text(encoding='utf-8')}\n```" if file.suffix == ".yaml" else str(file)
            writer.add_text(file.name, text, last, walltime=mirror.ended)
    for file in earlier:
        file.unlink()
