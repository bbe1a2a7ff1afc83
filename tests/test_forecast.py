"""``assay run --dry-run``: what a study will take, told before anything is trained."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import assay as package
from assay.data import ImageData, load
from assay.errors import AssayError, size_text
from assay.recipe import Recipe
from assay.recipe.study import load_study
from assay.runs import crf
from assay.start import trial
from assay.start.forecast import forecast, forecast_table
from command import assay, write_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("forecast") / "tiny.yaml", seeds=2)


def test_nothing_is_written_and_every_variant_is_told(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ended = assay(capfd, "run", study, "--out", tmp_path / "runs", "--dry-run")
    assert ended.status == 0, ended.err
    assert not (tmp_path / "runs").exists()
    head, relu, tanh, _, said = ended.out.splitlines()
    assert head.split("  ")[0] == "variant"
    assert relu.split()[:4] == ["activation=relu", "2", "·", "1"]
    assert tanh.split()[:4] == ["activation=tanh", "2", "·", "1"]
    assert said.startswith("4 of 4 runs are left: about ")
    assert f"in {tmp_path / 'runs' / 'tiny'}; nothing was written there" in said


def test_ten_times_the_epochs_take_longer_and_done_runs_are_not_counted(study: Path, tmp_path: Path) -> None:
    loaded = load_study(study, ["train.epochs=40"])
    long = forecast(loaded, tmp_path, quiet=True)
    assert all(each.epochs == 40 and each.done == 0 for each in long.variants)
    short = load_study(study, seeds=1)
    results = package.run(short, tmp_path / "runs", quiet=True)
    after = forecast(load_study(study), tmp_path / "runs", quiet=True)
    assert [(each.runs, each.done) for each in after.variants] == [(2, 1), (2, 1)]
    assert long.seconds > after.seconds
    taken = sum(path.stat().st_size for path in results.runs[0].folder.iterdir())
    assert after.variants[0].bytes == pytest.approx(taken, rel=0.3)


def test_failed_runs_are_left_where_they_are_tried_again(study: Path, tmp_path: Path) -> None:
    loaded = load_study(study)
    for variant in loaded.plan.values():
        folder = tmp_path / loaded.name / variant.folder / "seed-0"
        folder.mkdir(parents=True)
        (folder / "status.json").write_text('{"state": "failed"}', encoding="utf-8")
    counts = [
        [(each.runs, each.done) for each in forecast(loaded, tmp_path, quiet=True, retry=retry).variants]
        for retry in (False, True)
    ]
    assert counts == [[(2, 1), (2, 1)], [(2, 0), (2, 0)]]


def test_a_part_of_the_images_speaks_for_all(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (recipe, *_) = (variant.recipe for variant in load_study(study).plan.values())
    data = load(recipe.data, 0, Path())
    seen = []
    whole = trial._part

    def noted(data: object, share: float) -> object:
        seen.append(share)
        return whole(data, share)  # type: ignore[arg-type]

    monkeypatch.setattr(trial, "_part", noted)
    monkeypatch.setattr(trial, "SECONDS", 0.0)
    found = trial.try_recipe(recipe, data)
    assert seen == [pytest.approx(recipe.train.batch_size / len(data.indices["train"]))]
    assert found.training_seconds > 0
    seen.clear()
    monkeypatch.setattr(trial, "SECONDS", 1e9)
    trial.try_recipe(recipe, data)
    assert seen[-1] == 1.0


def test_rates_cost_the_same_and_are_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def instead(recipe: object, data: object) -> trial.Trial:
        tried.append(recipe)
        return trial.Trial(10.0, 2.0, 1000)

    monkeypatch.setattr("assay.start.forecast.try_recipe", instead)
    vary = {"train.optimizer.lr": [0.1, 0.2], "model.hidden": [[8], [9]]}
    found = forecast(load_study(write_study(tmp_path / "s.yaml", vary=vary, seeds=3)), tmp_path, jobs=2, quiet=True)
    assert len(tried) == 2
    assert (found.seconds, found.bytes) == (12 * 12 / 2, 12_000)


def test_a_variant_that_diverges_is_told(tmp_path: Path) -> None:
    vary = {"train.optimizer": [{"name": "sgd", "lr": 0.1}, {"name": "rmsprop", "lr": 1e30}]}
    study = load_study(write_study(tmp_path / "s.yaml", vary=vary))
    good, bad = forecast(study, tmp_path, quiet=True).variants
    assert good.seconds
    assert bad.seconds is None
    assert "not finite" in (bad.reason or "")
    assert forecast_table(forecast(study, tmp_path, quiet=True))


@pytest.mark.parametrize(
    ("count", "text"), [(400, "0.4 kB"), (12_345, "12.3 kB"), (999_600, "1 MB"), (3_456_000_000, "3.46 GB")]
)
def test_sizes_are_read_at_a_glance(count: int, text: str) -> None:
    assert size_text(count) == text


def test_what_cannot_be_trained_is_told_as_run_does(study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ended = assay(capfd, "run", study, "--dry-run", "--set", "data.source=digit")
    assert ended.status == 2
    assert "did you mean 'digits'?" in ended.err


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"metric": "acuracy"}, "acuracy"),
        ({"vary": {"train.schedule": ["constant", {"name": "cosine", "warmup": 4}]}}, "the warm-up takes 4 epochs"),
    ],
)
def test_what_run_refuses_the_forecast_refuses_in_the_same_words(
    changes: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    loaded = load_study(write_study(tmp_path / "s.yaml", **changes))
    said = []
    for told in (forecast, package.run):
        with pytest.raises(AssayError, match=sentence) as error:
            told(loaded, tmp_path / "runs", quiet=True)
        said.append(str(error.value))
    assert said[0] == said[1]
    assert not (tmp_path / "runs").exists()


def test_runs_that_will_be_taken_over_are_done(tmp_path: Path) -> None:
    package.run(load_study(write_study(tmp_path / "s.yaml", vary={"model.hidden": [[4], [5]]})), tmp_path, quiet=True)
    vary = {"model.hidden": [[4], [5]], "train.batch_size": [64, 32]}
    wide = load_study(write_study(tmp_path / "s.yaml", vary=vary))
    found = forecast(wide, tmp_path, quiet=True)
    assert [(each.variant, each.done, each.taken_over) for each in found.variants] == [
        ("hidden=4, batch_size=64", 1, 1),
        ("hidden=4, batch_size=32", 0, 0),
        ("hidden=5, batch_size=64", 1, 1),
        ("hidden=5, batch_size=32", 0, 0),
    ]
    left = [each.seconds or 0.0 for each in found.variants if not each.done]
    assert found.seconds == pytest.approx(sum(left))


def test_what_only_the_first_call_takes_counts_in_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (recipe, *_) = (variant.recipe for variant in load_study(write_study(tmp_path / "s.yaml")).plan.values())
    clock, called = [0.0], []
    network = trial.initial_network

    def slow_at_first(*arguments: Any) -> Any:
        clock[0] += 1.0 if called else 1000.0
        called.append(arguments)
        return network(*arguments)

    monkeypatch.setattr(trial, "initial_network", slow_at_first)
    monkeypatch.setattr(trial, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    found = trial.try_recipe(recipe, load(recipe.data, 0, Path()))
    assert (found.training_seconds, found.other_seconds) == (0.0, pytest.approx(1.0))


def test_a_network_off_the_shelf_is_tried_on_images_as_it_expects_them(tmp_path: Path) -> None:
    base = {
        "data": {"source": "digits", "train": 200, "test": 100, "size": [32, 32], "color": "rgb"},
        "model": {"name": "timm/test_resnet"},
        "train": {"epochs": 1, "batch_size": 20},
    }
    path = write_study(tmp_path / "shelf.yaml", base=base, vary={"train.optimizer.lr": [0.1, 0.01]}, seeds=1)
    found = forecast(load_study(path), tmp_path / "runs")
    assert found.variants[0].reason is None


def test_a_variant_without_memory_is_told(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def starved(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")

    monkeypatch.setattr("assay.start.forecast.try_recipe", starved)
    found = forecast(load_study(study), tmp_path, quiet=True)
    assert [each.seconds for each in found.variants] == [None, None]
    assert str(found.variants[0].reason).startswith("out of memory: a smaller train.batch_size")


def test_choosing_a_field_takes_its_time_on_all_pictures_that_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def slowly(recipe: Recipe, network: object, data: ImageData, device: object) -> None:
        asked.append(len(data.indices["validation"]))
        time.sleep(0.2)

    monkeypatch.setattr(crf, "choice", slowly)
    monkeypatch.setattr(trial, "SECONDS", 0.0)
    values = {
        "task": "segmentation",
        "data": {"source": "scenes", "size": 32, "train": 100, "validation": 80, "test": 4},
        "model": {"name": "deeplab", "width": 8},
        "train": {"batch_size": 8},
        "predict": {"crf": "tune"},
    }
    recipe = Recipe.model_validate(values)
    found = trial.try_recipe(recipe, load(recipe.data, 0, Path()))
    assert asked == [2]
    assert found.other_seconds > 0.2 * crf.PICTURES / 2
