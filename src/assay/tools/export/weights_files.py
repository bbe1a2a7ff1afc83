"""Weights as other libraries load them: ``model.safetensors`` with JSON beside it, or timm's layout of a folder."""

import shutil
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models._hub import save_for_hf

from assay.errors import AssayError
from assay.recipe.yaml_files import dump_yaml
from assay.system.files import write, write_json
from assay.system.integrity import WEIGHTS
from assay.tools.answering import Pixels
from assay.tools.export.description import of_weights
from assay.tools.export.graph import Graph, Outputs
from assay.tools.export.source import Source
from assay.tools.pictures import normalized

DESCRIPTION = "assay.json"


def write_safetensors(source: Source, folder: Path) -> Path:
    """The run's weights as they are, its description and its recipe; returns the path of the first."""
    shutil.copyfile(source.run / WEIGHTS, folder / WEIGHTS)
    write_json(folder / DESCRIPTION, of_weights(source.description))
    write(folder / "recipe.yaml", dump_yaml(source.recipe.dump()))
    return folder / WEIGHTS


def is_timms(source: Source) -> bool:
    """Whether timm itself can build the network: one of its own, whose head is not made of other layers."""
    return source.recipe.model.name.startswith("timm/") and not isinstance(source.recipe.model.head, tuple)


def write_timm(source: Source, folder: Path) -> Path:
    """``config.json`` and ``model.safetensors`` as ``timm.create_model('local-dir:…')`` reads them, with the run's own
    normalisation and classes; returns the path of the weights. AssayError for a network that timm cannot build."""
    if not is_timms(source):
        name, head = source.recipe.model.name, isinstance(source.recipe.model.head, tuple)
        why = f"'{name}' with a head of other layers" if head else f"'{name}'"
        raise AssayError(f"timm cannot build {why}; expected a network such as timm/resnet18, or --to safetensors")
    about = source.about
    save_for_hf(
        source.model,
        str(folder),
        model_config={"label_names": about["classes"]},
        safe_serialization=True,
        data_config={
            "input_size": tuple(about["shape"]),
            "mean": tuple(about["mean"]),
            "std": tuple(about["std"]),
            "interpolation": "bilinear",
            "crop_pct": 1.0,
        },
    )
    write_json(folder / DESCRIPTION, of_weights(source.description))
    return folder / WEIGHTS


def read_timm(folder: Path, about: dict[str, Any]) -> Graph:
    """What timm makes of such a folder, behind the run's normalisation."""
    network = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()

    def graph(pixels: Pixels) -> Outputs:
        with torch.inference_mode():
            return (network(normalized(pixels, about)),)

    return graph
