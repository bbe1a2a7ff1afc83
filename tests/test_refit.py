"""Training on the mistakes: what it gains, what it forgets, and what as much training on random images does."""

import html
import json
import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
import yaml
from safetensors.torch import load_file
from sklearn.metrics import log_loss

from assay import seeds
from assay.data import data_root, load
from assay.errors import AssayError, NothingToDo, RunFailed
from assay.models import build
from assay.models.freezing import needs_two
from assay.recipe import Recipe
from assay.recipe.study import Study
from assay.results import Results
from assay.results.statistics import intervals
from assay.runs.engine import run as run_study
from assay.tasks.classification.predictions import Predictions
from assay.tools.predict import load_run
from assay.tools.refit import Refit, refit
from assay.tools.refit.change import change, judged, standing
from assay.tools.refit.continuing import continued, trained_on
from assay.tools.refit.in_words import verdict
from assay.tools.refit.table import class_table
from assay.train import loop
from command import assay
from driving import rehash
from trained import CPU, image_data, predict, predictions

DATA: dict[str, Any] = {"source": "digits", "train": 400, "validation": 0.2, "test": 300}
TRAIN: dict[str, Any] = {"epochs": 3, "batch_size": 32, "optimizer": {"name": "sgd", "lr": 0.05}, "keep": "last"}
VARIANTS: dict[str, dict[str, Any]] = {
    "mlp": {},
    "cnn": {"model": {"name": "cnn", "norm": "batch"}, "train.optimizer": {"name": "adam", "lr": 0.001}},
    "weighted": {"train.loss": {"name": "cross_entropy", "class_weights": "inverse"}, "data.balance": "oversample"},
    "thinned": {"data.imbalance": {"3": 0.1}, "data.augment": [{"translation": 0.1}], "data.validation": 0},
    "phases": {"train.phases": [{"epochs": 1}, {"epochs": 2, "freeze": "dense*", "optimizer": {"lr": 0.004}}]},
}


def study(out: Path, variants: dict[str, dict[str, Any]] = VARIANTS, **sections: Any) -> Path:
    base = {"data": DATA, "model": {"name": "mlp", "hidden": [16]}, "train": TRAIN} | sections
    run_study(Study(title="t", name="t", base=base, variants=variants, seeds=1), out, quiet=True)
    return out / "t"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return study(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def found(runs: Path) -> Refit:
    return refit(runs / "mlp" / "seed-0")


def hashes(folder: Path) -> dict[str, str]:
    files = [path for path in folder.iterdir() if path.is_file()]
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in files}


def normalised(rows: pl.DataFrame) -> np.ndarray:
    """The probabilities, which float32 rounds, with the sum 1."""
    probabilities = np.stack(rows["probabilities"].to_list()).astype(np.float64)
    return probabilities / probabilities.sum(axis=1, keepdims=True)


def copied(run: Path, place: Path) -> Path:
    shutil.copytree(run, place, ignore=shutil.ignore_patterns("refit"))
    return place


# --------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_number_follows_from_the_saved_predictions(runs: Path, variant: str) -> None:
    run = runs / variant / "seed-0"
    untouched = hashes(run)
    found = refit(run, epochs=2)
    assert hashes(run) == untouched
    table = pl.read_parquet(found.folder / "predictions.parquet")
    by = {key: rows for key, rows in table.group_by("network", "split")}
    right = {key: (rows["label"] == rows["predicted"]).to_numpy() for key, rows in by.items()}
    splits = ("train", "test") if variant == "thinned" else ("train", "validation", "test")
    assert tuple(found.before) == splits
    assert found.images == (~right["before", "train"]).sum()
    for name, arm in (("mistakes", found.mistakes), ("random", found.random)):
        for split in splits:
            was, now, c = right["before", split], right[name, split], arm.changes[split]
            assert (c.gained, c.forgotten) == ((now & ~was).sum(), (was & ~now).sum())
            assert c.gained - c.forgotten == now.sum() - was.sum()
            assert c.difference == pytest.approx(arm.standings[split].accuracy - found.before[split].accuracy)
            assert (sum(c.gained_per_class), sum(c.forgotten_per_class)) == (c.gained, c.forgotten)
            assert (c.low is None) == (split == "train")
        rows = by[name, "test"]
        assert arm.standings["test"].nll == pytest.approx(
            log_loss(rows["label"], normalised(rows), labels=range(10)), abs=1e-5
        )
        c = arm.changes["test"]
        assert c.p == intervals.mcnemar(right[name, "test"], right["before", "test"])
    kept = pl.read_parquet(run / "predictions.parquet").filter(pl.col("split") == "test")
    assert by["before", "test"].drop("network").equals(kept)
    apart = right["mistakes", "test"].mean() - right["random", "test"].mean()
    assert found.against_random.difference == pytest.approx(apart)
    if variant != "thinned":  # where the random images gain as much, by chance
        assert found.mistakes.changes["train"].gained > found.random.changes["train"].gained


def test_what_is_saved_is_what_is_returned(found: Refit) -> None:
    saved = json.loads((found.folder / "refit.json").read_text(encoding="utf-8"))
    assert saved["mistakes"]["changes"]["test"]["gained"] == found.mistakes.changes["test"].gained
    assert saved["before"]["test"] == vars(found.before["test"])
    assert (saved["on"], saved["epochs"], saved["images"]) == ("mistakes", 5, found.images)
    assert saved["lr"] == pytest.approx(0.005)
    assert saved["verdict"] == found.verdict
    assert {path.name for path in found.folder.iterdir()} == {"refit.json", "model.safetensors", "predictions.parquet"}


def test_the_saved_network_gives_the_saved_predictions(found: Refit) -> None:
    recipe, _, model = load_run(found.run)
    model.load_state_dict(load_file(found.folder / "model.safetensors"))
    data = load(recipe.data, recipe.seed, data_root())
    said = predict(model, data, "test", recipe.train.loss, CPU)
    table = pl.read_parquet(found.folder / "predictions.parquet")
    kept = table.filter((pl.col("network") == "mistakes") & (pl.col("split") == "test"))
    np.testing.assert_allclose(said.probabilities, np.stack(kept["probabilities"].to_list()), atol=1e-6)


def test_twice_the_same_bytes(found: Refit) -> None:
    first = hashes(found.folder)
    assert refit(found.run) == found
    assert hashes(found.folder) == first
    assert refit(found.run, epochs=1, lr=0.5).lr == 0.5
    assert hashes(found.folder).keys() == first.keys()
    assert hashes(found.folder)["model.safetensors"] != first["model.safetensors"]


def test_both_arms_take_the_same_steps(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    build_optimizer = loop.build_optimizer

    def counted(*arguments: Any) -> torch.optim.Optimizer:
        optimizer = build_optimizer(*arguments)
        taken.append(0)

        def step(*_: Any) -> None:
            taken[-1] += 1

        optimizer.register_step_post_hook(step)
        return optimizer

    monkeypatch.setattr(loop, "build_optimizer", counted)
    seen: list[tuple[int, int]] = []
    found = refit(runs / "weighted" / "seed-0", epochs=3, fitting=lambda *done: seen.append(done))
    assert taken == [found.steps, found.steps]
    assert found.steps == 3 * -(-found.images // 32)
    assert seen == [(n, 6) for n in range(1, 7)]


def test_a_study_does_not_take_it_for_a_run(runs: Path, found: Refit) -> None:
    results = Results.read(runs)
    assert {run.folder for run in results.runs} == {runs / name / "seed-0" for name in VARIANTS}
    assert len(results.finished) == len(VARIANTS)
    with pytest.raises(AssayError, match="there is no run"):
        load_run(found.folder)


# -------------------------------------------------------------------------------------------- training


def test_a_later_phase_goes_on_with_its_own_rate_and_frozen_part(runs: Path) -> None:
    run = runs / "phases" / "seed-0"
    found = refit(run, epochs=2)
    assert found.lr == pytest.approx(0.0004)
    before, after = (load_file(place / "model.safetensors") for place in (run, found.folder))
    changed = {name for name in before if not before[name].equal(after[name])}
    assert changed
    assert not any(name.startswith("dense") for name in changed)


def test_what_goes_on_has_a_seed_of_its_own_a_constant_rate_and_no_early_end() -> None:
    train = TRAIN | {"schedule": "cosine", "early_stopping": {"patience": 1}, "keep": "best", "clip": 0.5}
    recipe = Recipe.model_validate({"data": {"source": "noise"}, "model": {"name": "mlp"}, "train": train})
    found = continued(recipe, image_data(), 7)
    assert found.seed != recipe.seed
    changes: dict[str, Any] = {"epochs": 7, "schedule": "constant", "early_stopping": None, "keep": "last"}
    changes["optimizer"] = {"name": "sgd", "lr": 0.1}
    expected = Recipe.model_validate(recipe.dump() | {"train": train | changes})
    assert found.train.optimizer.lr == pytest.approx(0.005)
    assert continued(recipe, image_data(), 7, lr=0.1).train == expected.train


def test_what_is_shown_is_not_balanced_again() -> None:
    recipe = Recipe.model_validate({"data": {"source": "noise"}, "model": {"name": "mlp"}, "train": TRAIN})
    data = image_data()
    shown = data.indices["train"][np.isin(data.images.labels[data.indices["train"]], [0, 1])][:-1]
    with seeds.scoped(0, "initialisation"):
        network = build(recipe.model, data.shape, 3)
    plain, other = (
        trained_on(network, replace(data, balance=balance), shown, continued(recipe, data, 2), CPU).state_dict()
        for balance in ("none", "oversample")
    )
    assert all(value.equal(other[name]) for name, value in plain.items())


def test_a_frozen_backbone_stays_as_it_is_batch_norms_too() -> None:
    model = {"name": "timm/resnet18", "freeze": "backbone"}
    recipe = Recipe.model_validate({"data": {"source": "noise"}, "model": model, "train": TRAIN | {"batch_size": 4}})
    data = image_data(shape=(3, 32, 32))
    with seeds.scoped(0, "initialisation"):
        network = build(recipe.model, data.shape, 3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    after = trained_on(network, data, data.indices["train"][:5], continued(recipe, data, 2), CPU)
    assert {n for n, value in after.state_dict().items() if not value.equal(before[n])} == {"fc.weight", "fc.bias"}
    assert all(value.equal(before[name]) for name, value in network.state_dict().items())
    assert not needs_two(network)
    assert needs_two(build(recipe.model.model_copy(update={"freeze": "none"}), data.shape, 3))


def test_one_logit_is_trained_on(tmp_path: Path, planted: Path) -> None:
    data = {"source": str(planted), "size": 8, "validation": 0.2}
    train = TRAIN | {"loss": "binary_cross_entropy", "epochs": 1}
    found = refit(study(tmp_path, {"one": {}}, data=data, train=train) / "one" / "seed-0")
    assert len(found.classes) == len(found.mistakes.changes["test"].gained_per_class) == 2
    assert load_file(found.folder / "model.safetensors")["output.bias"].shape == (1,)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise in two classes, which no network gets right."""
    from PIL import Image

    folder, draw = tmp_path_factory.mktemp("noise"), np.random.default_rng(0)
    for split, many in (("train", 30), ("test", 10)):
        for name in ("a", "b"):
            (folder / split / name).mkdir(parents=True)
            for i in range(many):
                noise = draw.integers(0, 256, (8, 8), dtype=np.uint8)
                Image.fromarray(noise).save(folder / split / name / f"{i}.png")
    return folder


def test_class_weights_are_those_of_all_training_images(runs: Path) -> None:
    recipe, _, _ = load_run(runs / "weighted" / "seed-0")
    data = image_data(train=12)
    data = replace(data, indices=data.indices | {"train": data.indices["train"][:-2]})
    counts = data.class_counts
    weights = continued(recipe, data, 1).train.loss.class_weights  # type: ignore[union-attr]
    assert weights == pytest.approx(10 / (3 * counts))


# ------------------------------------------------------------------------------------------- judgement


def said(right: list[bool]) -> Predictions:
    """Answers to images of two classes in turn."""
    labels = [n % 2 for n in range(len(right))]
    of_label = [0.9 if good else 0.2 for good in right]
    rows = [[1 - p, p] if label else [p, 1 - p] for label, p in zip(labels, of_label, strict=True)]
    return predictions(labels, rows)


def test_changes_counted_by_hand() -> None:
    c = change(said([True, True, False, False, True]), said([True, False, True, True, False]))
    assert (c.gained, c.forgotten, c.difference) == (2, 2, 0.0)
    assert (c.gained_per_class, c.forgotten_per_class) == ((1, 1), (1, 1))
    one = standing(said([True, True, False, False, True]))
    assert one.accuracy == pytest.approx(0.6)
    assert one.nll == pytest.approx(-(3 * np.log(0.9) + 2 * np.log(0.2)) / 5)


def test_nothing_is_decided_that_interval_and_test_do_not_both_show() -> None:
    before = said([True] * 100)
    few, many = (said([False] * n + [True] * (100 - n)) for n in (4, 30))
    (unsure,) = judged([(before, few)])
    assert unsure.high is not None
    assert unsure.high < 0
    assert (unsure.p, unsure.decided) == (0.125, "cannot tell")
    worse, same, better = judged([(before, many), (before, before), (many, before)])
    assert (worse.decided, same.decided, better.decided) == ("worse", "cannot tell", "better")
    assert worse.p is not None
    assert worse.p_holm == pytest.approx(3 * worse.p)


def worded(mistakes: int, control: int) -> str:
    """The verdict after so many of 100 test images were forgotten by the two networks; below 0, gained."""

    def answers(lost: int) -> Predictions:
        return said([n >= 30 + lost for n in range(200)])

    before, after, random = answers(0), answers(mistakes), answers(control)
    *tested, between = judged([(before, after), (before, random), (random, after)])
    return verdict(214, *tested, between)


def test_the_verdict_in_words(found: Refit) -> None:
    worse = worded(20, 0)
    assert worse.startswith(
        "Training on the 214 mistakes made the test accuracy worse by 10.0 points (95 % interval −1"
    )
    assert ": 0 test images gained, 20 forgotten; more training on as many random images changed it by 0.0 (" in worse
    assert worse.endswith(
        "The mistakes did worse than the random images by 10.0 points (−14.5 to −6.0, corrected p < 0.001)."
    )
    better = worded(-20, -19)
    assert "made the test accuracy better by 10.0 points" in better
    assert "The two cannot be told apart (+0.5 points," in better
    unsure = worded(2, 0)
    assert unsure.startswith(
        "Whether training on the 214 mistakes helped or harmed the test accuracy cannot be told: −1.0"
    )
    assert "corrected p 1.00), 0 test images gained, 2 forgotten; more" in unsure
    assert "changed no test image" in worded(0, 3)


def test_the_classes_that_changed_most_are_shown(found: Refit) -> None:
    table, shown = class_table(found)
    assert (table.row_count, shown) == (10, 10)
    names = tuple(f"c{n}" for n in range(30))
    counts = tuple(range(30))
    c = replace(found.mistakes.changes["test"], gained_per_class=counts, forgotten_per_class=counts)
    arm = replace(found.mistakes, changes={"test": c})
    table, shown = class_table(replace(found, classes=names, mistakes=arm, random=arm))
    assert shown == 20
    assert [str(cell) for cell in table.columns[0].cells] == list(names[10:])


# ----------------------------------------------------------------------------------------- the command


def test_the_command_prints_the_networks_side_by_side(runs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = runs / "mlp" / "seed-0"
    ended = assay(capfd, "refit", run, "--on", "mistakes", "--epochs", "2")
    assert ended.status == 0, ended.err
    saved = json.loads((run / "refit" / "refit.json").read_text(encoding="utf-8"))
    lines = ended.out.splitlines()
    assert lines[0].endswith("  on random images")
    test = next(line for line in lines if line.startswith("test accuracy (%)"))
    accuracies = [saved["before"], saved["mistakes"]["standings"], saved["random"]["standings"]]
    assert test.split()[-3:] == [f"{100 * each['test']['accuracy']:.2f}" for each in accuracies]
    assert saved["verdict"] in lines
    page = run / "refit" / "index.html"
    assert lines[-2:] == [f"network, predictions and numbers: {run / 'refit'}", f"page: {page}"]
    text = html.unescape(page.read_text(encoding="utf-8"))
    assert saved["verdict"] in text
    assert 'src="http' not in text
    rows = pl.read_csv(run / "refit" / "tables" / "networks.csv").filter(pl.col("split") == "test")
    assert rows["accuracy"].to_list() == [each["test"]["accuracy"] for each in accuracies]
    by_class = pl.read_csv(run / "refit" / "tables" / "classes.csv")
    for network, arm in (("on the mistakes", "mistakes"), ("on random images", "random")):
        change, own = saved[arm]["changes"]["test"], by_class.filter(pl.col("network") == network)
        assert own["gained"].to_list() == change["gained_per_class"]
        assert own["forgotten"].to_list() == change["forgotten_per_class"]
        assert rows.filter(pl.col("network") == network)["forgotten"].item() == change["forgotten"]
    assert saved["environment"]["command"].startswith("assay refit")
    assert ended.err == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--on", "mistake"], "unknown images to refit on 'mistake'; did you mean 'mistakes'?"),
        (["--epochs", "0"], "refit: epochs: found 0, expected at least 1"),
        (["--epochs", "many"], "--epochs"),
        (["--lr", "0"], "refit: lr: found 0, expected a finite number above 0"),
        (["--lr", "nan"], "refit: lr: found nan, expected a finite number above 0"),
        (["--data", "/nowhere/at/all"], "the data root '/nowhere/at/all' (from --data) is not a folder"),
    ],
)
def test_options_that_cannot_be(
    runs: Path, arguments: list[str], sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    ended = assay(capfd, "refit", runs / "cnn" / "seed-0", *arguments)
    assert (ended.status, ended.out) == (2, "")
    assert len(ended.err.splitlines()) == 1
    assert sentence in ended.err


def test_folders_that_cannot_be(runs: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "there is no run; expected the folder of a finished run" in assay(capfd, "refit", runs).err
    cut = copied(runs / "mlp" / "seed-0", tmp_path / "cut")
    status = json.loads((cut / "status.json").read_text())
    (cut / "status.json").write_text(json.dumps(status | {"state": "running"}))
    ended = assay(capfd, "refit", cut)
    assert ended.status == 2
    assert "its run is running; expected the folder of a finished run" in ended.err
    assert not (cut / "refit").exists()


@pytest.mark.parametrize(
    ("file", "changes", "sentence"),
    [
        ("data.json", {"mean": [0.5]}, "its data have changed: data.json has mean [0.5], and now it is [0.3"),
        ("recipe.yaml", {"data": {"train": 300}}, "its data have changed: data.json has"),
        ("recipe.yaml", {"data": {"test": 0}}, "data.test: 0 of 1,797 images is none; that split would be empty"),
        ("recipe.yaml", {"data": {"split_seed": 1, "normalize": "unit"}}, "its data have changed"),
        ("recipe.yaml", {"data": {"source": "gone"}}, "unknown data source 'gone'"),
    ],
)
def test_data_that_are_no_longer_those_of_the_run(
    runs: Path, tmp_path: Path, file: str, changes: dict[str, Any], sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    run = copied(runs / "mlp" / "seed-0", tmp_path / "run")
    values = yaml.safe_load((run / file).read_text(encoding="utf-8"))
    for key, value in changes.items():
        values[key] = values[key] | value if isinstance(value, dict) else value
    (run / file).write_text(json.dumps(values), encoding="utf-8")
    rehash(run)
    ended = assay(capfd, "refit", run)
    assert (ended.status, ended.out) == (2, "")
    assert len(ended.err.splitlines()) == 1
    assert sentence in ended.err
    assert not (run / "refit").exists()


def test_other_pictures_in_the_same_places_are_noticed(tmp_path: Path, planted: Path) -> None:
    source = tmp_path / "noise"
    shutil.copytree(planted, source)
    data = {"source": str(source), "size": 8, "validation": 0.2, "normalize": "unit"}
    run = study(tmp_path, {"one": {}}, data=data) / "one" / "seed-0"
    for path in (source / "test" / "a").iterdir():
        shutil.copy(next((planted / "train" / "b").iterdir()), path)
    with pytest.raises(AssayError, match=r"its data have changed: the test images are not those of its predictions"):
        refit(run)


def test_a_network_without_mistakes_is_no_error(runs: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = DATA | {"train": 60}
    run = study(tmp_path, {"sure": {"train.epochs": 100}}, data=data) / "sure" / "seed-0"
    ended = assay(capfd, "refit", run)
    sentence = f"{run}: its network is right on all 48 training images; there are no mistakes to train on"
    assert (ended.status, ended.out, ended.err) == (0, f"{sentence}\n", "")
    assert not (run / "refit").exists()
    with pytest.raises(NothingToDo):
        refit(run)


def test_a_loss_that_is_not_finite_leaves_nothing(
    runs: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = copied(runs / "mlp" / "seed-0", tmp_path / "run")
    with pytest.raises(RunFailed):
        refit(run, lr=1e30)
    ended = assay(capfd, "refit", run, "--lr", "1e30")
    assert ended.status == 1
    assert "is not finite" in ended.err
    assert not (run / "refit").exists()
