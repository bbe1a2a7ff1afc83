"""The finished run that is exported, and its test images."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from assay.data import ImageData
from assay.errors import AssayError, enumerated
from assay.recipe import Recipe
from assay.results.folders import read_table
from assay.runs.data import load_data_of
from assay.system.files import read_object
from assay.tools.answering import Pixels
from assay.tools.export.description import description
from assay.tools.predict import load_run

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Source:
    """A finished run."""

    run: Path
    recipe: Recipe
    about: dict[str, Any]
    """Its data.json."""
    model: nn.Module
    """On the processor, in evaluation mode."""
    root: Path | None = None
    """The data root."""
    decoding: Progress | None = None

    @cached_property
    def measured(self) -> dict[str, Any]:
        """Its metrics.json."""
        return read_object(self.run / "metrics.json")

    @cached_property
    def description(self) -> dict[str, Any]:
        """What the exported file says of itself."""
        return description(self.run, self.recipe, self.about, self.measured, self.model)

    @cached_property
    def data(self) -> ImageData:
        """Its images, refused where they are no longer those it was trained on."""
        return load_data_of(self.run, self.recipe, self.about, self.root, self.decoding)

    @property
    def batch(self) -> int:
        """Images that are asked at once."""
        import torch

        return self.data.pass_size(torch.device("cpu"))

    @cached_property
    def predictions(self) -> Any:
        """The table of its answers to the test and validation images."""
        return read_table(self.run / "predictions.parquet")

    def pixels(self, split: str, most: int) -> Pixels:
        """At most so many images of a split, evenly spread over it."""
        every = self.data.indices[split]
        rows = every[np.linspace(0, len(every) - 1, min(most, len(every))).round().astype(int)]
        return np.ascontiguousarray(self.data.images.pixels[rows])


def source(run: Path, root: Path | None = None, decoding: Progress | None = None) -> Source:
    """The finished run in that folder. AssayError where there is none, or for the folder of several."""
    if not (run / "status.json").is_file() and (several := finished_below(run)):
        raise AssayError(f"{run} holds several runs, and one is exported; expected {enumerated(several, 6)}")
    return Source(run, *load_run(run), root, decoding)


def finished_below(folder: Path) -> list[str]:
    """The finished runs of a study or a variant."""
    there = sorted({*folder.glob("seed-*/status.json"), *folder.glob("*/seed-*/status.json")})
    return [str(path.parent) for path in there if read_object(path, missing={}).get("state") == "finished"]
