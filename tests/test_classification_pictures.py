"""The tables of a run that hold images: predictions and pictures."""

from io import BytesIO

import numpy as np
import polars as pl
import pytest
from PIL import Image

from assay.evaluate import Trained
from assay.models import build
from assay.recipe import Model
from assay.tasks.pictures import sample, thumbnail
from assay.tasks.predicting import predictions_table
from trained import image_data, predictions, trained


def gallery(run: Trained) -> pl.DataFrame:
    return run.predictions["test"].gallery(run.data, run.recipe.seed)


def test_predictions_have_a_row_for_each_validation_and_test_image() -> None:
    run = trained()
    table = predictions_table(run)
    assert dict(table.schema) == {
        "split": pl.String,
        "image": pl.Int64,
        "name": pl.String,
        "label": pl.Int64,
        "predicted": pl.Int64,
        "confidence": pl.Float32,
        "loss": pl.Float32,
        "probabilities": pl.List(pl.Float32),
    }
    assert table["split"].value_counts(sort=True).rows() == [("test", 9), ("validation", 6)]
    test = table.filter(split="test")
    assert test["image"].to_list() == run.data.indices["test"].tolist()
    assert test["name"].to_list() == [f"image-{i}" for i in test["image"]]
    assert test["label"].to_list() == run.data.images.labels[run.data.indices["test"]].tolist()
    for row in table.iter_rows(named=True):
        assert row["confidence"] == row["probabilities"][row["predicted"]] == max(row["probabilities"])
        assert sum(row["probabilities"]) == pytest.approx(1, abs=1e-6)


def test_predictions_survive_parquet() -> None:
    table, buffer = predictions_table(trained()), BytesIO()
    table.write_parquet(buffer)
    assert pl.read_parquet(buffer.getvalue()).equals(table)


def test_pictures_are_the_raw_pixels_with_their_predictions() -> None:
    run = trained(image_data(shape=(3, 28, 28), test=40))
    table = gallery(run)
    assert dict(table.schema) == {
        "kind": pl.String,
        "name": pl.String,
        "label": pl.Int64,
        "predicted": pl.Int64,
        "confidence": pl.Float32,
        "png": pl.Binary,
    }
    assert table["kind"].unique(maintain_order=True).to_list() == ["sample", "mistake", "unsure"]
    assert len(table.filter(kind="sample")) == len(table.filter(kind="unsure")) == 25
    assert 0 < len(table.filter(kind="mistake")) <= 25
    assert (table.filter(kind="mistake")["label"] != table.filter(kind="mistake")["predicted"]).all()
    assert table.filter(kind="unsure")["confidence"].is_sorted()
    by_name = {row["name"]: row for row in predictions_table(run).iter_rows(named=True)}
    for row in table.iter_rows(named=True):
        known = by_name[row["name"]]
        assert [row[key] for key in ("label", "predicted", "confidence")] == [
            known[k] for k in ("label", "predicted", "confidence")
        ]
        pixels = np.asarray(Image.open(BytesIO(row["png"]))).transpose(2, 0, 1)
        np.testing.assert_array_equal(pixels, run.data.images.pixels[known["image"]])


def test_the_sample_follows_the_seed_alone() -> None:
    assert sample(1000, 3).tolist() == sample(1000, 3).tolist()
    assert sample(1000, 3).tolist() != sample(1000, 4).tolist()
    assert len(set(sample(1000, 3).tolist())) == 25
    assert sample(5, 0).tolist() == [0, 1, 2, 3, 4]


def test_the_worst_mistakes_come_first() -> None:
    chances = [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.6, 0.4], [0.2, 0.8]]
    assert predictions([0, 0, 0, 1, 0], chances).mistakes().tolist() == [1, 4, 2, 3]
    assert predictions([0] * 50, [[0.1, 0.9]] * 50).mistakes().tolist() == list(range(25))


def test_the_least_sure_come_first_right_or_wrong() -> None:
    chances = [[0.9, 0.1], [0.4, 0.6], [0.5, 0.5], [0.6, 0.4], [0.3, 0.7]]
    assert predictions([0, 0, 1, 0, 1], chances).unsure().tolist() == [2, 1, 3, 4, 0]
    assert predictions([0] * 50, [[0.9, 0.1]] * 50).unsure().tolist() == list(range(25))
    later = [[0.9, 0.1]] * 40 + [[0.45, 0.55]] + [[0.9, 0.1]]
    assert predictions([0] * 42, later).unsure().tolist() == [40, *range(24)]


def test_a_single_logit_is_unsure_around_one_half() -> None:
    run = trained(
        image_data(classes=2, test=40), build(Model(name="mlp"), (1, 6, 6), 1), train={"loss": "binary_cross_entropy"}
    )
    kept = gallery(run).filter(kind="unsure")["confidence"]
    assert kept.to_list() == np.sort(run.predictions["test"].confidence)[:25].tolist()
    assert kept.min() >= 0.5


def test_a_network_without_mistakes_has_no_pictures_of_them() -> None:
    run = trained(image_data(classes=2))
    run.predictions["test"] = predictions([0, 1], [[0.9, 0.1], [0.1, 0.9]])
    assert gallery(run)["kind"].to_list() == ["sample", "sample", "unsure", "unsure"]


@pytest.mark.parametrize(
    ("shape", "size", "mode"),
    [
        ((1, 28, 28), (28, 28), "L"),
        ((3, 200, 100), (48, 96), "RGB"),
        ((1, 96, 97), (96, 95), "L"),
        ((3, 1, 500), (96, 1), "RGB"),
    ],
)
def test_thumbnails_have_no_side_over_96_pixels(shape: tuple[int, int, int], size: tuple[int, int], mode: str) -> None:
    image = Image.open(BytesIO(thumbnail(np.full(shape, 200, np.uint8))))
    assert (image.format, image.size, image.mode) == ("PNG", size, mode)
    assert np.asarray(image).min() == np.asarray(image).max() == 200
