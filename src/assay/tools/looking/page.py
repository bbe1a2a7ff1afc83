"""Writes what a network sees in one picture: ``index.html``, which opens anywhere without a network."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch.nn import functional

from assay.report import style
from assay.report.document import data_address, document
from assay.system.files import write
from assay.tasks.classification.task import Prediction
from assay.tasks.pictures import thumbnail
from assay.tools.looking.maps import Channel, Maps, Unshown

Pixels = UInt8[np.ndarray, "channels height width"]
LARGE = 320
"""Pixels of the longer side to which the picture is enlarged, in whole steps."""
TOP = 5
"""Classes with their probabilities on the page."""
INSTALL = "pip install 'assay-studies[maps]'"


@dataclass(frozen=True)
class Look:
    """One picture through one network."""

    run: Path
    picture: Path
    seen: Pixels
    """The picture in the network's size and colour."""
    answer: Prediction
    maps: list[Maps]
    unshown: list[Unshown]
    cam_layer: str | None
    """None where the network has no convolution with maps."""
    cam: Float[np.ndarray, "rows columns"] | None
    """Not below 0; None without a layer for it or without captum."""


@dataclass(frozen=True)
class Shot:
    """One channel as the page shows it."""

    source: str
    """A ``data:`` address."""
    channel: Channel
    is_small: bool
    """Enlarging should keep its pixels apart."""


def write_look(look: Look, folder: Path, command: str = "") -> Path:
    """Write ``index.html`` into ``folder``; returns its path."""
    probabilities = look.answer.probabilities
    top = sorted(probabilities, key=lambda label: -probabilities[label])[:TOP]
    page, _ = document(
        "tools/looking/page.html.j2",
        [],
        {},
        look=look,
        small=is_small(look.seen),
        picture=data_address(png(enlarged(look.seen))),
        heat=None if look.cam is None else data_address(png(overlay(look.seen, look.cam))),
        silent=look.cam is not None and not look.cam.any(),
        top=[(label, f"{probabilities[label]:.3f}") for label in top],
        layers=[(maps, [shot(channel) for channel in maps.channels]) for maps in look.maps],
        number=number,
        install=INSTALL,
        command=command,
    )
    write(folder / "index.html", page)
    return folder / "index.html"


def shot(channel: Channel) -> Shot:
    """A channel as a picture of its own size, or smaller where it is large."""
    return Shot(data_address(thumbnail(channel.pixels[None])), channel, is_small(channel.pixels[None]))


def is_small(pixels: Pixels) -> bool:
    """Whether enlarging should keep the pixels apart."""
    return bool(max(pixels.shape[1:]) <= 64)


def enlarged(pixels: Pixels) -> UInt8[np.ndarray, "channels rows columns"]:
    """The nearest whole multiple of the picture below ``LARGE`` pixels, each pixel a square; a large one as it is."""
    times = max(1, LARGE // max(pixels.shape[1:]))
    return pixels.repeat(times, axis=1).repeat(times, axis=2)


def overlay(pixels: Pixels, cam: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "3 rows columns"]:
    """The enlarged picture in gray, half covered by colours from dark (0) to bright (the largest value of ``cam``)."""
    large = enlarged(pixels)
    smooth = functional.interpolate(torch.from_numpy(cam)[None, None].float(), large.shape[1:], mode="bilinear")
    heat = smooth[0, 0].numpy() / (cam.max() or 1)
    stops = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in style.sequential(9)])
    places = np.linspace(0, 1, len(stops))
    colors = np.stack([np.interp(heat, places, channel) for channel in stops.T])
    mixed: UInt8[np.ndarray, "3 rows columns"] = np.rint((large.mean(axis=0) + colors) / 2).astype(np.uint8)
    return mixed


def png(pixels: Pixels) -> bytes:
    """A gray or RGB picture as PNG."""
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    buffer = BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def number(value: float) -> str:
    """Three significant digits."""
    return f"{value:.3g}".replace("-", "−")
