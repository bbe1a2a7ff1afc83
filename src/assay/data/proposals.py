"""Selective search: the regions of a picture that may hold an object, found once and kept for all who ask again."""

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from assay.data.publish import entry_folder, make, touch
from assay.errors import AssayError
from assay.recipe import Proposals
from assay.seeds import numpy_generator

Regions = Float32[np.ndarray, "_ 4"]
VERSION = 1
KIND, FILE = "proposals", "regions.npy"


def proposals(images: UInt8[Tensor, "b c height width"], how: Proposals) -> Float32[Tensor, "b most 4"]:
    """The regions of every picture, ascending by x1, y1, x2, y2 in its own pixels; zeros where there are fewer.

    Each picture's are kept in the cache as soon as they are found, by its pixels and all that decides what is found, so
    that a search that ends early is continued. Of more than ``how.most`` so many are drawn, by the picture alone: which
    they are depends neither on the run nor on what was asked before. Raises AssayError where OpenCV's contributions are
    not installed.
    """
    opencv()
    pictures = images.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        found = pool.map(lambda picture: kept(picture, how), pictures)
    return _filled_up(list(found), how.most)


def kept(picture: UInt8[np.ndarray, "height width c"], how: Proposals) -> Regions:
    """The regions of one picture, at most ``how.most``, from the cache or searched for and kept there."""
    digest = hashlib.sha256(f"{picture.shape}".encode() + picture.tobytes()).hexdigest()
    folder = entry_folder(KIND, json.dumps([VERSION, opencv().__version__, digest, how.mode, how.scale]))
    regions = _read(folder)
    if regions is None:
        regions = make(folder, lambda place: np.save(place / FILE, searched(picture, how)), _read)
    if len(regions) <= how.most:
        return regions
    drawn = numpy_generator(0, "proposals", int(digest[:15], 16)).permutation(len(regions))[: how.most]
    return regions[np.sort(drawn)]


def searched(picture: UInt8[np.ndarray, "height width c"], how: Proposals) -> Regions:
    """What selective search finds in a picture, gray or RGB, ascending: OpenCV orders it anew at each call."""
    cv2 = opencv()
    height, width = picture.shape[:2]
    size = [max(1, round(side * how.scale)) for side in (width, height)]
    colour = cv2.COLOR_GRAY2BGR if picture.shape[2] == 1 else cv2.COLOR_RGB2BGR
    shown = cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), colour)
    search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage(shown)
    {
        "fast": search.switchToSelectiveSearchFast,
        "single": search.switchToSingleStrategy,
        "quality": search.switchToSelectiveSearchQuality,
    }[how.mode]()
    x, y, wide, high = np.unique(search.process(), axis=0).astype(np.float64).T
    edges = np.stack([x, y, x + wide, y + high], axis=1) / np.tile([size[0] / width, size[1] / height], 2)
    return np.asarray(edges[np.lexsort(edges.T[::-1])], dtype=np.float32)


def opencv() -> Any:
    """The module ``cv2`` with its contributions. AssayError where they are not installed."""
    try:
        import cv2
    except ImportError:
        raise _missing("OpenCV is not installed") from None
    if not hasattr(cv2, "ximgproc"):
        raise _missing("the OpenCV here lacks its contributions (ximgproc)")
    return cv2


def _missing(what: str) -> AssayError:
    return AssayError(f"selective search: {what}; install the extra 'rcnn' (pip install 'assay-studies[rcnn]')")


def _filled_up(found: Sequence[Regions], most: int) -> Float32[Tensor, "b most 4"]:
    filled = torch.zeros(len(found), most, 4)
    for place, regions in zip(filled, found, strict=True):
        place[: len(regions)] = torch.from_numpy(regions)
    return filled


def _read(folder: Path) -> Regions | None:
    touch(folder)
    try:
        regions: Regions = np.load(folder / FILE, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return regions
