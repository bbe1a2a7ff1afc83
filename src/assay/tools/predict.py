"""What a finished run says of pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from assay.errors import AssayError
from assay.recipe import Fit, Recipe
from assay.recipe.validation import validate
from assay.recipe.yaml_files import read_yaml
from assay.system.files import read_object

if TYPE_CHECKING:
    import torch

    from assay.tasks.contract import Told


def predict(run: str | Path, pictures: Sequence[str | Path]) -> "Sequence[Told]":
    """What the network of a finished run says of picture files, prepared as its test images were.

    Of each picture a ``Prediction`` of the run's task, such as ``assay.tasks.classification.task.Prediction``. Raises
    AssayError for a folder without a finished run and for a picture that cannot be read, naming it.
    """
    import torch

    from assay.data.batches import pass_size
    from assay.tasks import catalogue

    recipe, about, model = load_run(Path(run))
    measured = read_object(Path(run) / "metrics.json", missing={})
    task, paths = catalogue.task(recipe.task), list(map(Path, pictures))
    together = pass_size(*about["shape"][1:])
    told: list[Told] = []
    for start in range(0, len(paths), together):
        part = paths[start : start + together]
        with torch.inference_mode():
            images = torch.stack([read_picture(path, about, recipe.data.fit) for path in part])
            answers = task.said(model, images)
        told += task.told(answers, part, about | {"measured": measured})
    return told


def load_run(run: Path) -> "tuple[Recipe, dict[str, Any], torch.nn.Module]":
    """The recipe, data.json and network, in evaluation mode, of a finished run. AssayError where there is none."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from assay.models.catalogue import build
    from assay.models.state import restore
    from assay.tasks import catalogue

    state = read_object(run / "status.json", missing={}).get("state")
    if state != "finished":
        found = f"its run is {state}" if state else "there is no run"
        raise AssayError(f"{run}: {found}; expected the folder of a finished run, such as runs/STUDY/VARIANT/seed-0")
    recipe = validate(Recipe, read_yaml(run / "recipe.yaml"), str(run / "recipe.yaml"))
    about = read_object(run / "data.json")
    outputs = catalogue.task(recipe.task).outputs(recipe.train.loss, about["classes"])
    model = build(recipe.model, tuple(about["shape"]), outputs)
    try:
        restore(model, load_file(run / "model.safetensors"))
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise AssayError(f"{run / 'model.safetensors'} is not the network of this run: {reason}") from None
    return recipe, about, model.eval()


def read_picture(path: Path, about: dict[str, Any], fit: Fit) -> "torch.Tensor":
    """One picture as the network wants it: float (c, h, w), in the run's size, colour and normalisation."""
    import torch
    from PIL import Image, UnidentifiedImageError

    from assay.data.decode import decode

    channels, height, width = about["shape"]
    try:
        with Image.open(path) as image:
            pixels = decode(image, "gray" if channels == 1 else "rgb", (height, width), fit)
    except FileNotFoundError:
        raise AssayError(f"there is no picture {path}") from None
    except UnidentifiedImageError:
        raise AssayError(f"{path} is not an image") from None
    except Exception as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise AssayError(f"{path} cannot be read: {reason}") from None
    mean, std = (torch.tensor(about[name]).view(-1, 1, 1) for name in ("mean", "std"))
    return (torch.tensor(pixels) / 255 - mean) / std


def prediction_table(predictions: "Sequence[Told]") -> Table:
    """The predictions for the terminal."""
    table = Table(*(predictions[0].cells if predictions else ()), box=None, pad_edge=False)
    for prediction in predictions:
        table.add_row(*map(Text, prediction.cells.values()))
    return table
