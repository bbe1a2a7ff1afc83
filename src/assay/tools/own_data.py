"""A finished network beside the images that it was trained on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.recipe import Recipe

if TYPE_CHECKING:
    import torch

    from assay.data.batches import ImageData


@contextmanager
def own_data(
    run: Path, recipe: Recipe, about: dict[str, Any], model: "torch.nn.Module", root: str | Path | None
) -> "Iterator[tuple[ImageData, torch.device]]":
    """The images of a run, split as they were, and the device of its recipe, where ``model`` is meanwhile.

    Raises AssayError for data under the root ``root`` that are no longer those of the run.
    """
    from assay.runs.data import load_data_of
    from assay.system.machine import resolve_device

    device = resolve_device(recipe.train.device)
    data = load_data_of(run, recipe, about, root)
    try:
        model.to(device)
        yield data, device
    finally:
        model.cpu()
