"""Frozen work is done once: the head learns and predicts on kept features wherever that gives what the whole would."""

import copy
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from assay.data.batches import ImageData
from assay.data.features import FeatureData, Kept, keep
from assay.errors import AssayError
from assay.models.detector import Detector, Found, Selecting
from assay.models.encoded import Encoded
from assay.models.encoded_detector import EncodedDetector
from assay.models.freezing import training
from assay.models.head import Parts, encoder_and_rest, head_names, parts
from assay.models.modes import evaluating
from assay.models.packed import layout
from assay.models.segmenter import Segmenter
from assay.models.weights import digest
from assay.recipe import Model, Recipe
from assay.recipe.tasks import TASKS
from assay.seeds import scoped
from assay.system.machine import device_name, processor
from assay.train.arithmetic import laid_out

VERSION = 1
DRAWN = 2
"""The way of drawing and moving, to be raised when equal seeds no longer give equal views."""
TRIAL = 8
"""Images that show whether a frozen backbone always says the same."""


def trained_part(
    network: nn.Module, data: ImageData, recipe: Recipe, device: torch.device, log: Callable[[str], None]
) -> tuple[nn.Module, ImageData]:
    """What the loop trains, and on what; on the same, it predicts.

    The head of ``network`` (the same parameters, not a copy) on the features of its frozen backbone, computed once and
    kept in the cache; all of the network on the images where the backbone learns too, or where its features would not
    be the same in every epoch: then ``log`` hears why. Raises AssayError where ``data.augment_views`` asks for
    features that cannot be kept, or the disk has no room for them.
    """
    if not only_the_head_learns(network, recipe):
        return network, data
    reason = why_not_kept(network, next(data.batches("train", TRIAL, device))[0], recipe)
    if reason is None and data.crop:
        reason = "other windows of the images are seen in each (data.crop)"
    if reason is None and data.mosaic:
        reason = "other pictures are put together in each (data.mosaic)"
    if reason is None and data.augment and not recipe.data.augment_views:
        reason = "augmentation is drawn anew in each (data.augment_views: 4 would keep the features of 4 views)"
    if reason:
        log(f"the frozen backbone runs in every epoch: {reason}")
        return network, data
    if recipe.train.channels_last:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return divided(network, data.shape).head, features_of(network, data, recipe, device, log)


def divided(network: nn.Module, shape: tuple[int, ...]) -> Parts:
    """The frozen part of a network, and the one that learns, for images of ``shape``."""
    channels, height, width = shape
    if isinstance(network, Segmenter | EncodedDetector):
        return encoder_and_rest(network, (channels, height, width))
    return parts(network)


def only_the_head_learns(network: nn.Module, recipe: Recipe) -> bool:
    """Whether all else in a network that has a backbone is frozen."""
    if not (recipe.model.is_off_the_shelf or isinstance(network, Encoded)):
        return False
    heads = tuple(f"{name}." for name in head_names(network))
    return all(name.startswith(heads) for name, p in network.named_parameters() if p.requires_grad)


def why_not_kept(
    network: nn.Module, images: Float[Tensor, "batch channels height width"], recipe: Recipe
) -> str | None:
    """Why a frozen backbone's features cannot be kept; None if they can. AssayError where the recipe counts on them."""
    heads = 1 if isinstance(network, Encoded) else len(head_names(network))
    reason = f"the network has {heads} heads" if heads > 1 else why_not_once(network, images)
    if reason and recipe.data.augment_views:
        raise AssayError(f"data.augment_views: features cannot be kept, since {reason}; leave the key out")
    return reason


def why_not_once(network: nn.Module, images: Float[Tensor, "batch channels height width"]) -> str | None:
    """Why training the head on features would not be training the network, by a trial on a few images; None if it is.

    The trial is made on a copy, since statistics may move in it.
    """
    trial = copy.deepcopy(network)
    if isinstance(trial, Detector):
        trial.selecting = Selecting(score=0.0)
    trial_parts = divided(trial, tuple(images.shape[1:]))
    with torch.no_grad(), scoped(0, "trial"):
        trial.eval()
        features = trial_parts.features(images)
        if not _alike(trial_parts.head(features.clone()), trial(images)):
            return "the network does more with its features than its head does"
        training(trial)
        if not _alike(trial_parts.features(images), features):
            return "outside the head something is random in training, such as a dropout right before it"
    return None


def features_of(
    network: nn.Module, data: ImageData, recipe: Recipe, device: torch.device, log: Callable[[str], None]
) -> FeatureData:
    """The images of every split as features of the backbone: in evaluation mode, in float32.

    Of the training and validation images in one go, and of the test images in another, so that seeds whose splits
    divide the same images differently share them.
    """
    views = recipe.data.augment_views or 0
    identity, features = identity_of(network, data, recipe, device), divided(network, data.shape).features

    def announce(line: str) -> None:
        log(f"the backbone is frozen: {line}")

    def kept(rows: np.ndarray, view: int | None) -> Kept:
        if not len(rows):
            return Kept(rows, np.zeros((0, 1), np.float32))
        part = replace(data, indices={"rows": rows})
        drawn = {} if view is None else drawn_as(recipe, view)

        def batches() -> Iterator[Tensor]:
            size = data.pass_size(device)
            shown = (
                part.batches("rows", size, device)
                if view is None
                else part.augmented("rows", size, views_seed(recipe), view, device)
            )
            with evaluating(network):
                for images, _ in shown:
                    yield features(laid_out(images, recipe.train))

        return keep(identity | drawn, rows, batches, announce)

    learning = kept(np.sort(np.concatenate([data.indices["train"], data.indices["validation"]])), None)
    plain = {"train": learning, "validation": learning, "test": kept(np.sort(data.indices["test"]), None)}
    augmented = tuple(kept(np.sort(data.indices["train"]), view) for view in range(views))
    if views:
        log(f"augmentation: {views} views of each training image; epoch e sees view e mod {views}")
    return FeatureData(
        **{field.name: getattr(data, field.name) for field in fields(data)},
        plain=plain,
        views=augmented,
        views_seed=views_seed(recipe),
    )


def views_seed(recipe: Recipe) -> int:
    """What the augmented views are drawn by: the run's seed; with boxes what all seeds have in common, since maps take
    longer to make than to learn from."""
    return recipe.data.split_seed if TASKS[recipe.task].target == "boxes" else recipe.seed


def drawn_as(recipe: Recipe, view: int) -> dict[str, Any]:
    """All that decides, beside the pixels, what an augmented view is."""
    augment = recipe.dump()["data"]["augment"]
    return {"augment": augment, "seed": views_seed(recipe), "view": view, "drawn_by": DRAWN}


def identity_of(network: nn.Module, data: ImageData, recipe: Recipe, device: torch.device) -> dict[str, Any]:
    """All that decides the bits of the features of an image: weights, network, pixels, and what computes them."""
    heads = tuple(f"{name}." for name in head_names(network))
    inside = network.inside if isinstance(network, Encoded) else str
    backbone = {inside(name): value for name, value in network.state_dict().items() if not name.startswith(heads)}
    pixels = data.images.identity or hashlib.sha256(data.images.pixels.tobytes()).hexdigest()
    return {
        "version": VERSION,
        "weights": digest(backbone),
        "model": made_as(network, recipe.model, data.shape),
        "images": [pixels, *data.shape],
        "normalization": [data.mean.tolist(), data.std.tolist()],
        "computed_by": [
            *(f"{package} {version(package)}" for package in ("torch", "torchvision", "timm")),
            f"{device_name(device)}, {processor()}, {torch.get_num_threads()} threads",
            "channels last" if recipe.train.channels_last else "channels first",
        ],
    }


def made_as(network: nn.Module, model: Model, shape: tuple[int, int, int]) -> dict[str, Any]:
    """What the backbone is, beside its weights: networks that differ in what follows it share its features."""
    if not isinstance(network, Encoded):
        return {"name": model.name} | model.arguments
    encoder = repr(network.get_submodule(network.encoder_name))
    stated = [model.arguments[key] for key in ("encoder", "backbone") if key in model.arguments]
    return {
        "encoder": [*(stated or [model.name]), hashlib.sha256(encoder.encode()).hexdigest()],
        "maps": [[list(sides), is_used] for sides, is_used in layout(network, shape)],
        **({"padded to": [network.multiple, network.least]} if isinstance(network, Segmenter) else {}),
    }


def _alike(one: Tensor | list[Found], other: Tensor | list[Found]) -> bool:
    """Up to rounding, on their own scale: features of an untrained network can be tiny."""
    if isinstance(one, list):
        pairs = zip(one, other, strict=True)
        return all(_alike(part, same) for found in pairs for part, same in zip(*found, strict=True))
    assert isinstance(other, Tensor)
    if not one.numel():
        return one.shape == other.shape
    return one.shape == other.shape and bool((one - other).abs().max() <= 1e-4 * other.abs().max())
