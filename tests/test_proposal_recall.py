"""The ceiling of R-CNN: the share of the boxes that some region overlaps by half."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

from assay.data.batches import ImageData
from assay.data.boxes import DIFFICULT, Boxes
from assay.data.images import ImageSet
from assay.models.catalogue import build
from assay.recipe import Model, Recipe
from assay.tasks.contract import Trained
from assay.tasks.detection import ceiling
from assay.tasks.detection.ceiling import found, proposal_recalls

pytest.importorskip("cv2.ximgproc", reason="OpenCV's contributions are not installed")
RECIPE = {
    "task": "detection", "data": {"source": "drawn"}, "model": {"name": "rcnn", "backbone": "timm/resnet10t"},
}  # fmt: skip


def boxes() -> Boxes:
    """Three images: two boxes, none, three of which the last is difficult."""
    edges = [[0, 0, 10, 10], [20, 20, 40, 40], [0, 0, 10, 10], [50, 0, 60, 10], [30, 30, 34, 34]]
    return Boxes(
        np.array(edges, np.float32), np.array([0, 1, 0, 0, 1]), np.array([0, 0, 0, 0, DIFFICULT], np.uint8),
        np.array([0, 2, 2, 5]),
    )  # fmt: skip


REGIONS = [
    torch.tensor([[0.0, 0, 10, 6], [19, 20, 30, 40]]),  # 0.6 of the first, less than half of the second
    torch.tensor([[0.0, 0, 60, 60]]),
    torch.tensor([[0.0, 0, 10, 5], [48, 0, 60, 9], [0, 0, 0, 0]]),  # exactly half; 90 of 118
]


def trained(network: nn.Module) -> Trained:
    pixels = np.zeros((3, 3, 64, 64), np.uint8)
    images = ImageSet(pixels, boxes(), ["a", "b", "c"], np.ones(3, bool), ["cell", "spot"], [])
    rows = {"train": np.zeros(0, np.int64), "validation": np.zeros(0, np.int64), "test": np.arange(3)}
    data = ImageData(images, rows, np.zeros(3, np.float32), np.ones(3, np.float32))
    recipe = Recipe.model_validate(RECIPE)
    return Trained(network, data, recipe, torch.device("cpu"), {}, pl.DataFrame(), network, data)


def network() -> Any:
    return build(Model.model_validate(RECIPE["model"]), (3, 64, 64), 2)


def test_a_box_is_found_where_a_region_of_its_image_overlaps_it_by_half() -> None:
    assert found(boxes(), REGIONS).tolist() == [True, False, True, True, False]


def test_the_recall_of_regions_stands_beside_what_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceiling, "regions_of", lambda network, data: REGIONS)
    assert proposal_recalls(trained(network())) == {
        "proposal_recall": 0.5, "proposal_recall_cell": 1.0, "proposal_recall_spot": 0.0,
    }  # fmt: skip


def test_a_class_without_a_box_to_find_has_no_recall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceiling, "regions_of", lambda network, data: REGIONS[1:2])
    of_one = trained(network())
    empty = replace(of_one.data, indices=of_one.data.indices | {"test": np.array([1])})
    assert proposal_recalls(replace(of_one, data=empty)) == {}


def test_regions_are_those_of_the_test_images_own_pixels() -> None:
    shown = trained(network())
    shown.data.images.pixels[2, 0, 10:40, 12:50] = 200
    recalls = ceiling.regions_of(shown.model, shown.data)
    assert [int((own > 0).any(dim=1).sum()) > 1 for own in recalls] == [False, False, True]


def test_a_network_without_regions_has_no_such_recall() -> None:
    assert proposal_recalls(trained(nn.Flatten())) == {}
