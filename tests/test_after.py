"""What a recipe's ``predict`` puts around a trained network: what it answers, and who asks it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from assay.after.around import around
from assay.evaluate import measure
from assay.models.catalogue import build
from assay.models.modes import evaluating
from assay.recipe import Predict, Recipe
from assay.recipe.study import Study, load_study
from assay.recipe.validation import mistakes
from assay.results import Results
from assay.runs.checks import flatten
from assay.runs.data import load_data_of
from assay.runs.effect import check_effect
from assay.runs.engine import run as run_study
from assay.tools.predict import answers, load_run
from assay.tools.predict_uncertain import predict_uncertain
from assay.tools.refit import refit
from trained import trained

FLIP = Predict(flip=True)
PLAIN = ([0.0], [1.0])
"""Mean and deviation of pictures that are not normalised."""


class Edges(nn.Module):
    """As maps, by how much a pixel is brighter than its left neighbour: another map for a mirrored picture."""

    def forward(self, x: Tensor) -> Tensor:
        return x - torch.roll(x, 1, dims=-1)


def test_where_nothing_is_asked_the_network_itself_answers() -> None:
    network = nn.Linear(2, 2)
    assert around(network, Predict(), *PLAIN) is network


def test_rows_are_averaged_as_they_are() -> None:
    network = nn.Flatten()
    x = torch.tensor([[[[1.0, 2.0], [3.0, 5.0]]], [[[0.0, 0.0], [4.0, 8.0]]]])
    assert around(network, FLIP, *PLAIN)(x).tolist() == [[1.5, 1.5, 4.0, 4.0], [0.0, 0.0, 6.0, 6.0]]


def test_maps_are_mirrored_back_before_the_mean() -> None:
    x = torch.tensor([[[[1.0, 4.0, 6.0]]]])
    # straight 1−6, 4−1, 6−4; of the mirror image 6−1, 4−6, 1−4, and that mirrored back −3, −2, 5
    assert around(Edges(), FLIP, *PLAIN)(x).tolist() == [[[[-4.0, 0.5, 3.5]]]]
    assert torch.equal(around(nn.Identity(), FLIP, *PLAIN)(x), x)


def test_a_picture_and_its_mirror_image_get_one_answer() -> None:
    network = build(Recipe.model_validate(BASE).model, (3, 16, 16), 4).eval()
    x = torch.rand(5, 3, 16, 16)
    with torch.no_grad():
        assert torch.allclose(around(network, FLIP, *PLAIN)(x), around(network, FLIP, *PLAIN)(x.flip(-1)), atol=1e-6)
        assert not torch.allclose(network(x), network(x.flip(-1)), atol=1e-4)


BASE: dict[str, Any] = {"data": {"source": "digits"}, "model": {"name": "cnn", "channels": [4], "dense": [8]}}


def test_recipes_that_ask_for_nothing_stay_what_they_were() -> None:
    plain = Recipe.model_validate(BASE)
    assert "predict" not in plain.dump()
    assert Recipe.model_validate(BASE | {"predict": {"flip": False}}).hash == plain.hash
    asked = Recipe.model_validate(BASE | {"predict": {"flip": True}})
    assert asked.dump()["predict"] == {"flip": True}
    assert Recipe.model_validate(asked.dump()).hash == asked.hash != plain.hash


def test_layers_inside_the_network_get_no_dropout_where_more_than_it_answers() -> None:
    own = {"predict": {"flip": True}, "evaluate": [{"name": "uncertainty", "layers": ["dense1"]}]}
    (line,) = mistakes(Recipe, BASE | own)
    assert "expected layers: head" in line
    assert not mistakes(Recipe, BASE | own | {"predict": {}})


def test_what_an_answer_costs_counts_both_passes() -> None:
    plain, asked = (measure(trained(evaluate=["cost"], predict={"flip": flip})) for flip in (False, True))
    assert asked["macs"] == 2 * plain["macs"] == 2 * (36 * 4 + 4 * 3)  # type: ignore[operator]
    assert asked["activation_bytes"] == 2 * plain["activation_bytes"]  # type: ignore[operator]
    assert (asked["parameters"], asked["weight_bytes"]) == (plain["parameters"], plain["weight_bytes"])


# ------------------------------------------------------------------------------------------------ whole runs


def pictures(root: Path) -> Path:
    """Two classes that differ in where it is bright, and noise."""
    random = np.random.default_rng(0)
    for number in range(48):
        pixels = random.integers(0, 200, (12, 12), np.uint8)
        pixels[:6, :6] += 30 * np.uint8(number % 2)
        folder = root / "set" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pictures(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def results(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    base = BASE | {
        "data": {"source": "set", "validation": 12, "test": 12},
        "train": {"epochs": 2, "batch_size": 8, "keep": "last", "optimizer": {"name": "adam", "lr": 0.01}},
        "evaluate": ["classification", "cost", {"name": "uncertainty", "passes": 4}],
    }
    study = Study(title="?", name="flips", base=base, vary={"predict.flip": [False, True]}, seeds=2)
    return run_study(study, tmp_path_factory.mktemp("runs"), data=root, quiet=True)


def folder(results: Results, flip: bool) -> Path:
    return next(run.folder for run in results.runs if run.variant.endswith(str(flip).lower()) and run.seed == 0)


def said(run: Path, split: str = "test") -> pl.DataFrame:
    return pl.read_parquet(run / "predictions.parquet").filter(pl.col("split") == split)


def chances(run: Path, root: Path, split: str) -> np.ndarray:
    """By hand: softmax of the mean of the logits for pictures and mirror images, without ``after``."""
    recipe, about, network = load_run(run)
    data = load_data_of(run, recipe, about, root)
    with evaluating(network):
        x = torch.cat([images for images, _ in data.batches(split, 64, torch.device("cpu"))])
        return ((network(x) + network(x.flip(-1))) / 2).softmax(1).numpy()


@pytest.mark.parametrize("split", ["validation", "test"])
def test_the_final_predictions_are_of_both_and_training_knows_nothing_of_it(
    results: Results, root: Path, split: str
) -> None:
    plain, flipped = (folder(results, flip) for flip in (False, True))
    assert np.stack(said(flipped, split)["probabilities"].to_list()) == pytest.approx(
        chances(flipped, root, split), abs=1e-6
    )
    assert (plain / "model.safetensors").read_bytes() == (flipped / "model.safetensors").read_bytes()
    one, other = (pl.read_parquet(run / "history.parquet").drop("seconds") for run in (plain, flipped))
    assert one.equals(other)
    assert not said(plain, split)["loss"].equals(said(flipped, split)["loss"])


def test_how_far_they_may_be_believed_is_of_both_too(results: Results) -> None:
    metrics = json.loads((folder(results, True) / "metrics.json").read_text())
    assert metrics["nll_plain"] == pytest.approx(metrics["loss"], rel=1e-4)


def test_new_pictures_are_answered_as_the_test_images_were(results: Results, root: Path) -> None:
    run = folder(results, True)
    table = said(run)
    files = [root / "set" / name for name in table["name"]]
    found = answers(run, files).each
    assert [one.probability for one in found] == pytest.approx(table["confidence"].to_list(), abs=1e-5)
    together = answers(run.parent, files, ensemble=True).each
    mean = np.mean([chances(run.parent / seed, root, "test") for seed in ("seed-0", "seed-1")], axis=0)
    assert [one.probability for one in together] == pytest.approx(mean.max(axis=1).tolist(), abs=1e-5)
    mirrored = [Path(f"{file.with_suffix('')}-mirrored.bmp") for file in files]
    for file, other in zip(files, mirrored, strict=True):
        Image.open(file).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(run / other.name)
    for ask in (answers, predict_uncertain):
        one, other = (ask(run, [each]).each for each in (files[0], run / mirrored[0].name))
        assert one[0].record["class"] == other[0].record["class"]
        if ask is answers:
            assert one[0].record["probability"] == pytest.approx(other[0].record["probability"], abs=1e-5)


def test_it_is_refitted_by_the_answers_that_it_gave(results: Results, root: Path) -> None:
    run = folder(results, True)
    wrong = (said(run)["label"] != said(run)["predicted"]).mean()
    assert refit(run, epochs=1, root=root).before["test"].accuracy == pytest.approx(1 - wrong)


def test_with_a_frozen_backbone_all_of_the_network_answers(tmp_path: Path) -> None:
    pictures(tmp_path / "data")
    base = {
        "data": {"source": "set", "size": 32, "validation": 12, "test": 12},
        "model": {"name": "timm/test_resnet", "freeze": "backbone"},
        "train": {"epochs": 1, "batch_size": 8},
        "predict": {"flip": True},
        "evaluate": ["classification", {"name": "uncertainty", "passes": 2}],
    }
    study = Study(title="?", name="frozen", base=base, seeds=1)
    (run,) = run_study(study, tmp_path, data=tmp_path / "data", quiet=True).runs
    assert run.state == "finished", run.reason
    assert "the backbone is frozen" in (run.folder / "log.txt").read_text()
    by_hand = chances(run.folder, tmp_path / "data", "test")
    assert np.stack(said(run.folder)["probabilities"].to_list()) == pytest.approx(by_hand, abs=1e-5)
    metrics = json.loads((run.folder / "metrics.json").read_text())
    assert metrics["nll_plain"] == pytest.approx(metrics["loss"], rel=1e-4)


def test_the_shipped_study_takes_one_of_five_tricks_away_at_a_time() -> None:
    study = load_study(Path(__file__).parents[1] / "studies" / "cifar10" / "tricks.yaml")
    warned: list[str] = []
    check_effect(study, warned.append)
    assert not warned
    assert study.seeds == 20
    whole, *others = (flatten(variant.recipe.dump()) for variant in study.plan.values())
    taken = [{key for key in whole.keys() | own.keys() if whole.get(key) != own.get(key)} for own in others]
    sections = [{".".join(key.split(".")[:2]) for key in keys} for keys in taken]
    assert sections == [{"train.loss"}, {"data.augment"}, {"train.ema"}, {"predict.flip"}, {"train.schedule"}]
