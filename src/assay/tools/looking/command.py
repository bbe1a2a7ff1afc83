"""``assay maps``: from the words on the command line to the page."""

from pathlib import Path

import torch

from assay.errors import AssayError
from assay.recipe.tasks import require
from assay.separation.capture import choose
from assay.system.machine import device_here
from assay.tasks.classification.losses import probabilities
from assay.tasks.classification.task import said, told
from assay.tools.looking.maps import available, cam_layer, grad_cam, layer_maps
from assay.tools.looking.page import Look, write_look
from assay.tools.predict import load_run, read_picture


def look(run: Path, picture: Path, layers: str = "blocks", cam: str | None = None) -> Look:
    """What the network of a finished run makes of a picture, which is prepared as the run's test images were.

    ``layers`` is ``blocks``, ``leaves`` or patterns with commas between. Raises AssayError for a folder without a
    finished run of classification, a picture that cannot be read, a pattern that matches no layer, or a layer without
    maps for ``cam``.
    """
    recipe, about, model = load_run(run)
    require("labels", recipe.task, "maps", recipe.data.source)
    device = device_here(recipe.train.device)
    model.to(device)
    image = read_picture(picture, about, recipe.data.fit).to(device)
    names = choose(model, [part.strip() for part in layers.split(",")] if "," in layers else layers)
    layer = cam_layer(model, image, cam)
    with torch.inference_mode():
        logits = said(model, image[None].clone())
    if not probabilities(logits).isfinite().all():
        raise AssayError(f"{picture}: the network's outputs for this picture are not finite")
    (answer,) = told(logits, [picture], about)
    maps, unshown = layer_maps(model, names, image)
    heat = grad_cam(model, layer, image, about["classes"].index(answer.label)) if layer and available() else None
    mean, std = (torch.tensor(about[name]).view(-1, 1, 1) for name in ("mean", "std"))
    seen = ((image.cpu() * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)
    return Look(run, picture, seen.numpy(), answer, maps, unshown, layer, None if heat is None else heat.numpy())


def write_maps(
    run: Path, picture: Path, layers: str, cam: str | None = None, out: Path | None = None, command: str = ""
) -> Path:
    """Look, and write the page into ``out``, else ``maps/<picture>``; returns its path. Errors as in ``look``."""
    return write_look(look(run, picture, layers, cam), out or Path("maps") / picture.stem, command)
