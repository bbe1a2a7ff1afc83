"""The class of pictures by a finished run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from assay.errors import AssayError
from assay.recipe import Fit, Recipe
from assay.validation import validate
from assay.yaml_files import read_yaml

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Prediction:
    """What the network says of one picture."""

    picture: Path
    label: str
    probability: float
    probabilities: dict[str, float]
    """Class → probability, in the order of the classes."""


def predict(run: str | Path, pictures: Sequence[str | Path]) -> list[Prediction]:
    """Classify picture files with the network of a finished run, prepared as its test images were.

    Raises AssayError for a folder without a finished run and for a picture that cannot be read, naming it.
    """
    import torch

    from assay.data.batches import pass_size
    from assay.tasks import classification

    run = Path(run)
    recipe, about, model = load_run(run)
    classes, rows = about["classes"], []
    together = pass_size(*about["shape"][1:])
    with torch.inference_mode():
        for start in range(0, len(pictures), together):
            part = pictures[start : start + together]
            images = torch.stack([read_picture(Path(p), about, recipe.data.fit) for p in part])
            rows += classification.probabilities(model(images)).tolist()
    return [
        Prediction(Path(p), classes[row.index(max(row))], max(row), dict(zip(classes, row, strict=True)))
        for p, row in zip(pictures, rows, strict=True)
    ]


def load_run(run: Path) -> "tuple[Recipe, dict[str, Any], torch.nn.Module]":
    """The recipe, data.json and network, in evaluation mode, of a finished run. AssayError where there is none."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from assay.models.catalogue import build
    from assay.runs import read_object
    from assay.tasks import classification

    state = read_object(run / "status.json", missing={}).get("state")
    if state != "finished":
        found = f"its run is {state}" if state else "there is no run"
        raise AssayError(f"{run}: {found}; expected the folder of a finished run, such as runs/STUDY/VARIANT/seed-0")
    recipe = validate(Recipe, read_yaml(run / "recipe.yaml"), str(run / "recipe.yaml"))
    about = read_object(run / "data.json")
    outputs = classification.outputs(recipe.train.loss, about["classes"])
    model = build(recipe.model, tuple(about["shape"]), outputs)
    try:
        model.load_state_dict(load_file(run / "model.safetensors"))
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


def prediction_table(predictions: Sequence[Prediction]) -> Table:
    """The predictions for the terminal."""
    table = Table("picture", "class", "probability", box=None, pad_edge=False)
    for p in predictions:
        table.add_row(Text(str(p.picture)), Text(p.label), f"{p.probability:.3f}")
    return table
