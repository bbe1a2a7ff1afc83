"""``assay predict --uncertainty``: calibrated by the run's own validation images, before or now."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_digits

from assay import AssayError, predict
from assay.recipe.study import Study
from assay.runs.engine import run as run_study
from assay.tools.predict_uncertain import predict_uncertain
from assay.tools.probe import probe
from command import assay
from driving import rehash


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run that measured its uncertainty, the same one without, and one that has no validation images."""
    out = tmp_path_factory.mktemp("runs")
    plain: dict[str, Any] = {
        "data": {"source": "digits", "train": 0.4, "validation": 0.3},
        "model": {"name": "mlp", "hidden": [16]},
        "train": {"epochs": 5, "batch_size": 32, "keep": "last"},
    }
    bases = {
        "measured": {**plain, "evaluate": ["classification", "uncertainty"]},
        "bare": {**plain, "evaluate": ["classification"]},
    }
    for name, base in bases.items():
        run_study(Study(title=name, name=name, base=base, seeds=1), out, quiet=True)
    found = {name: out / name / "base" / "seed-0" for name in bases}
    found["unheld"] = out / "unheld"
    shutil.copytree(found["bare"], found["unheld"])
    about = json.loads((found["bare"] / "data.json").read_text())
    (found["unheld"] / "data.json").write_text(json.dumps(about | {"counts": about["counts"] | {"validation": 0}}))
    rehash(found["unheld"])
    return found


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three digits and their mean, which is none."""
    folder = tmp_path_factory.mktemp("pictures")
    images = [*load_digits().images[:3], load_digits().images.mean(axis=0)]
    for n, image in enumerate(images):
        Image.fromarray(np.rint(image * (255 / 16)).astype(np.uint8)).save(folder / f"{n}.png")
    return [folder / f"{n}.png" for n in range(4)]


def test_calibrated_answers_with_intervals(runs: dict[str, Path], pictures: list[Path]) -> None:
    found = predict_uncertain(runs["measured"], pictures)
    kept = json.loads((runs["measured"] / "metrics.json").read_text())
    assert found.calibration.temperature == kept["temperature"]
    for one, plain in zip(found.each, predict(runs["measured"], pictures), strict=True):
        assert one.prediction.label == plain.label
        assert sum(one.prediction.probabilities.values()) == pytest.approx(1)
        assert one.prediction.probability == max(one.prediction.probabilities.values())
        assert 0 <= one.low <= one.prediction.probability <= one.high <= 1
        assert one.unsure or one.prediction.probability >= found.unsure_below
    assert found.each[3].unsure
    assert not found.each[0].unsure


def test_a_run_that_measured_nothing_is_calibrated_now(runs: dict[str, Path], pictures: list[Path]) -> None:
    measured, bare = (predict_uncertain(runs[name], pictures) for name in ("measured", "bare"))
    assert bare.calibration.temperature == pytest.approx(measured.calibration.temperature, rel=1e-4)
    assert bare.calibration.rate == measured.calibration.rate
    assert [one.prediction.probability for one in bare.each] == pytest.approx(
        [one.prediction.probability for one in measured.each], abs=1e-4
    )


def test_what_is_said_of_a_picture_does_not_depend_on_the_others(runs: dict[str, Path], pictures: list[Path]) -> None:
    assert (
        predict_uncertain(runs["measured"], pictures).each[2]
        == predict_uncertain(runs["measured"], pictures[2:3]).each[0]
    )


def with_output(run: Path, place: Path, factor: float) -> Path:
    """The run with the weights of its last layer times ``factor``."""
    shutil.copytree(run, place)
    weights = load_file(place / "model.safetensors")
    last = {name: factor * value if name.startswith("output") else value for name, value in weights.items()}
    assert last.keys() == weights.keys()
    save_file(last, place / "model.safetensors")
    rehash(place)
    return place


def test_equal_probabilities_are_unsure(runs: dict[str, Path], pictures: list[Path], tmp_path: Path) -> None:
    found = predict_uncertain(with_output(runs["bare"], tmp_path / "equal", 0.0), pictures)
    assert not found.shows_nothing
    for one in found.each:
        assert (one.low, one.prediction.probability, one.high) == pytest.approx((0.1, 0.1, 0.1))
        assert one.unsure


def test_of_a_network_that_is_wrong_where_it_is_sure_everything_is_unsure(
    runs: dict[str, Path], pictures: list[Path], tmp_path: Path
) -> None:
    found = predict_uncertain(with_output(runs["bare"], tmp_path / "turned", -1.0), pictures)
    assert found.shows_nothing
    assert all(one.unsure for one in found.each)
    assert sum("show no relation between confidence and being right" in note for note in found.notes) == 1
    assert all(list(row) == ["picture", "class", "probability", "interval"] for row in found.rows)


def test_of_two_classes_an_interval_that_holds_a_half_is_unsure(tmp_path: Path) -> None:
    source, run = noise(tmp_path, train=40)
    found = predict_uncertain(run, sorted((source / "train").rglob("*.png")))
    reaching = [one for one in found.each if one.low <= 0.5 and one.prediction.probability >= found.unsure_below]
    assert reaching
    for one in found.each:
        below = one.prediction.probability < found.unsure_below
        assert one.unsure == (below or one.low <= 0.5 or found.shows_nothing)


def test_without_validation_images_it_is_refused(runs: dict[str, Path], pictures: list[Path]) -> None:
    with pytest.raises(AssayError, match="no validation images to calibrate on"):
        predict_uncertain(runs["unheld"], pictures)


def noise(folder: Path, train: int = 20) -> tuple[Path, Path]:
    """Noise in two classes, and a run that learned it."""
    source, draw = folder / "noise", np.random.default_rng(0)
    for split, many in (("train", train), ("test", 8)):
        for name in ("a", "b"):
            (source / split / name).mkdir(parents=True)
            for i in range(many):
                pixels = draw.integers(0, 256, (4, 4), dtype=np.uint8)
                Image.fromarray(pixels).save(source / split / name / f"{i}.png")
    base = {
        "data": {"source": str(source), "validation": 0.5, "normalize": "unit"},
        "model": {"name": "mlp", "hidden": [16]},
        "train": {"epochs": 5, "batch_size": 8, "keep": "last"},
    }
    run_study(Study(title="t", name="t", base=base, seeds=1), folder, quiet=True)
    return source, folder / "t" / "base" / "seed-0"


def added(folder: Path) -> None:
    shutil.copy(folder / "train" / "a" / "0.png", folder / "train" / "a" / "x.png")


def removed(folder: Path) -> None:
    (folder / "train" / "b" / "1.png").unlink()


def a_third_class(folder: Path) -> None:
    shutil.copytree(folder / "train" / "b", folder / "train" / "c")


def renamed(folder: Path) -> None:
    for path in (folder / "train" / "a").iterdir():
        path.rename(path.with_name(f"z{path.name}"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (added, "data.json has counts"),
        (removed, "data.json has counts"),
        (a_third_class, 'data.json has classes \\["a", "b"\\], and now it is \\["a", "b", "c"\\]'),
        (renamed, "names or labels are not those hashed in its data.json"),
    ],
)
def test_data_that_are_no_longer_those_of_the_run_are_refused(
    tmp_path: Path, change: Callable[[Path], None], sentence: str
) -> None:
    source, run = noise(tmp_path)
    picture = source / "test" / "a" / "0.png"
    assert predict_uncertain(run, [picture])
    change(source)
    with pytest.raises(AssayError, match=f"its data have changed: {sentence}"):
        predict_uncertain(run, [picture])
    with pytest.raises(AssayError, match=f"its data have changed: {sentence}"):
        probe(run)


def test_the_command(runs: dict[str, Path], pictures: list[Path], capfd: pytest.CaptureFixture[str]) -> None:
    done = assay(capfd, "predict", runs["measured"], *pictures, "--uncertainty")
    assert done.status == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].split() == ["picture", "class", "probability", "interval"]
    assert lines[4].endswith("unsure")
    assert "calibrated by" in done.out
    refused = assay(capfd, "predict", runs["unheld"], *pictures, "--uncertainty")
    assert refused.status == 2
    assert len(refused.err.splitlines()) == 1
