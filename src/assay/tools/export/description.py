"""What an exported file says of itself: how pictures become its input, and how its outputs become answers."""

from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import nn

from assay.after.around import selecting
from assay.models.detector import Detector
from assay.recipe import Recipe
from assay.recipe.tasks import answered

ABOUT = ("classes", "shape", "range", "around", "mean", "std", "colours", "target_mean", "target_deviation")
"""What answers need of a run's data.json."""
MEASURED = ("interval_90", "temperature")
"""And of its metrics.json, beside the threshold of each class."""
LOGITS = {
    "classification": "(batch, classes): softmax gives the probabilities",
    "multilabel": "(batch, labels): the sigmoid gives the probability of each",
    "segmentation": "(batch, classes, height, width): softmax over the classes gives the probabilities of a pixel",
}
ONE_LOGIT = "(batch, 1): the sigmoid gives the probability of the second class"
VALUES = "(batch, targets): value = output · target_deviation + target_mean"
CANDIDATES = {
    "boxes": "(batch, cells, 4): x1, y1, x2, y2 in pixels of the input, cut at its sides",
    "scores": "(batch, cells, classes): before any box goes; score, nms and most of 'selecting' say which stay",
}


def description(
    run: Path, recipe: Recipe, about: dict[str, Any], measured: dict[str, Any], model: nn.Module
) -> dict[str, Any]:
    """Of the network ``model`` of a run, whose data.json is ``about``: values that JSON knows."""
    channels, height, width = about["shape"]
    predict = recipe.predict
    return {
        "assay": version("assay-studies"),
        "run": "/".join(run.resolve().parts[-3:]),
        "task": recipe.task,
        "classes": about["classes"],
        "input": {
            "name": "images",
            "type": "uint8, 0…255",
            "shape": ["batch", channels, height, width],
            "colour": "gray" if channels == 1 else "RGB",
            "fit": recipe.data.fit,
            "resampling": "bilinear, antialiased",
        },
        "outputs": outputs(recipe, model),
        "inside": ["normalisation", *(["mirrored"] if predict.flip else []), *(["tiles"] if predict.tile else [])],
        "outside": outside(recipe),
        "selecting": asdict(selecting(model, predict).selecting) if isinstance(model, Detector) else None,
        "crf": predict.crf.model_dump() if predict.crf and predict.crf != "tune" else None,
        "layout": recipe.data.model_dump(mode="json").get("layout"),
        "about": {key: about[key] for key in ABOUT if key in about},
        "measured": {key: value for key, value in measured.items() if key in MEASURED or key.startswith("threshold_")},
    }


def of_weights(told: dict[str, Any]) -> dict[str, Any]:
    """The description of weights alone, in which nothing of what is inside a graph is."""
    given = told["input"] | {"type": "float32, (pixels / 255 − mean) / std"}
    return told | {"input": given, "inside": [], "outside": [*told["inside"], *told["outside"]]}


def outputs(recipe: Recipe, model: nn.Module) -> dict[str, str]:
    """Name → shape and meaning of what the network gives."""
    if answered(recipe.task) == "boxes":
        return CANDIDATES
    if recipe.task == "regression":
        return {"values": VALUES}
    one = recipe.task == "classification" and recipe.train.loss.name == "binary_cross_entropy"
    return {"logits": ONE_LOGIT if one else LOGITS[recipe.task]}


def outside(recipe: Recipe) -> list[str]:
    """What happens to answers or pictures that no graph holds, and that ``assay predict`` does."""
    found = ["decoding, turning upright, colour and size of a picture"]
    if recipe.predict.crf:
        found.append("the conditional random field that sharpens the maps")
    if answered(recipe.task) == "boxes":
        found.append("which boxes stay, by score and overlap")
    return found
