"""Exported files answer pictures as their run does."""

from pathlib import Path
from typing import Any

import torch

from assay.after.crf import Sharpened
from assay.errors import AssayError
from assay.models.detector import Selecting, selected
from assay.recipe.crf import Crf
from assay.recipe.data import Data
from assay.tools.answering import Answering, Pixels
from assay.tools.export import onnx_file, torch_file
from assay.tools.export.graph import Graph
from assay.tools.pictures import normalized

READERS = {".onnx": onnx_file.read, ".pt2": torch_file.read}
"""Ending of a file that answers → what reads it."""


def is_exported(path: Path) -> bool:
    """Whether the path is that of a file which may answer, there or not."""
    return path.suffix.lower() in READERS and not path.is_dir()


def read_exported(path: Path) -> tuple[str, Answering]:
    """Where the file in ``path`` comes from, in a sentence, and its network.

    Raises AssayError where it is absent, cannot be read, or was not written by ``assay export``.
    """
    if not path.is_file():
        raise AssayError(f"there is no file {path}; expected the folder of a finished run, or what assay export wrote")
    graph, told = READERS[path.suffix.lower()](path)
    if told is None:
        raise AssayError(
            f"{path} was not written by assay export: it does not say how pictures are prepared, or what it answers"
        )
    return f"Asked: {path}, exported from {told['run']} by assay {told['assay']}.", answering(graph, told)


def answering(graph: Graph, told: dict[str, Any]) -> Answering:
    """A graph and what its description says, as something that answers."""
    about, size = told["about"], tuple(told["about"]["shape"][1:])

    def ask(pixels: Pixels) -> Any:
        outputs = graph(pixels)
        if told["selecting"]:
            edges, scores = outputs
            return selected(edges, scores, Selecting(**told["selecting"]), size)
        if told["crf"]:
            field = Sharpened(torch.nn.Identity(), Crf.model_validate(told["crf"]), about["mean"], about["std"])
            return field.sharpen(outputs[0], normalized(pixels, about))
        return outputs[0]

    layout = Data(source=".", layout=told["layout"]).layout
    about = about | {"measured": told["measured"]}
    return Answering(told["task"], told["input"]["fit"], about, torch.device("cpu"), ask, layout)
