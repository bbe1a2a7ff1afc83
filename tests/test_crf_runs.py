"""``predict.crf: tune``: what the validation pictures choose, and that a run keeps and uses it."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor, nn

from assay.data import load
from assay.errors import PictureWarning
from assay.recipe import Data, Predict, Recipe
from assay.recipe.crf import Crf
from assay.recipe.study import Study
from assay.recipe.validation import mistakes
from assay.runs import crf
from assay.runs.engine import run as run_study
from assay.system.files import write_json
from assay.tools.predict import answers, load_run
from assay.tools.predict_command import show_answers

BASE: dict[str, Any] = {
    "task": "segmentation",
    "data": {"source": "scenes", "size": 32, "train": 16, "validation": 6, "test": 6},
    "model": {"name": "deeplab"},
    "predict": {"crf": "tune"},
}
RECIPE = Recipe.model_validate(BASE)


class Oracle(nn.Module):
    """Knows the truth of the validation pictures, of ``wrong`` of their pixels the contrary."""

    def __init__(self, data: Any, wrong: float) -> None:
        super().__init__()
        rows = torch.from_numpy(data.indices["validation"])
        truth = data.images.targets.take(rows).long()
        truth = truth.where(truth < len(data.classes), 0)
        noise = torch.rand(truth.shape, generator=torch.Generator().manual_seed(0)) < wrong
        said = truth.where(~noise, (truth + 1) % len(data.classes))
        self.logits = 2 * nn.functional.one_hot(said, len(data.classes)).permute(0, 3, 1, 2).float()

    def forward(self, images: Tensor) -> Tensor:
        return self.logits[: len(images)]


@pytest.fixture(scope="module")
def data() -> Any:
    return load(RECIPE.data, 0, Path("data"))


def test_noise_is_smoothed_and_of_all_settings_the_likeliest_is_chosen(data: Any, tmp_path: Path) -> None:
    found = crf.choice(RECIPE, Oracle(data, 0.1), data, torch.device("cpu"))
    losses = [one["loss"] for one in found["tried"]]
    assert len(losses) == 1 + len(crf.GRID)
    assert found["tried"][0]["crf"] is None
    assert found["chosen"] == found["tried"][int(np.argmin(losses))]["crf"] is not None
    assert crf.choice(RECIPE, Oracle(data, 0.1), data, torch.device("cpu")) == found
    write_json(tmp_path / crf.FILE, found)
    assert crf.with_choice(RECIPE, tmp_path).predict == Predict(crf=Crf(**found["chosen"]))
    assert "falls from" in crf.in_words(found)


def test_one_that_makes_it_worse_is_never_chosen(data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crf, "GRID", (Crf(bilateral=50, color=500, position=500),))
    found = crf.choice(RECIPE, Oracle(data, 0.0), data, torch.device("cpu"))
    assert found["chosen"] is None
    assert found["tried"][1]["loss"] > found["tried"][0]["loss"]
    write_json(tmp_path / crf.FILE, found)
    assert crf.with_choice(RECIPE, tmp_path).predict == Predict()
    assert "none of 1 settings is likelier" in crf.in_words(found)


def test_without_validation_pictures_nothing_can_be_chosen() -> None:
    data = Data.model_validate(BASE["data"] | {"validation": 0}).model_dump(exclude_defaults=True)
    train = {"keep": "last"}
    (line,) = mistakes(Recipe, BASE | {"data": data, "train": train})
    assert "predict.crf: tune needs validation images, and data.validation is 0" in line


def test_a_run_keeps_what_it_chose_and_answers_by_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crf, "GRID", (Crf(bilateral=1),))
    base = BASE | {"train": {"epochs": 1, "batch_size": 8}, "evaluate": ["segmentation"]}
    (run,) = run_study(Study(title="?", name="tuned", base=base, seeds=1), tmp_path, quiet=True).runs
    assert run.state == "finished", run.reason
    kept = json.loads((run.folder / crf.FILE).read_text())
    recipe, _, _ = load_run(run.folder)
    assert recipe.predict == Predict(crf=Crf(**kept["chosen"]) if kept["chosen"] else None)
    rows = pl.read_parquet(run.folder / "predictions.parquet").filter(pl.col("split") == "validation")
    assert rows["loss"].mean() == pytest.approx(min(one["loss"] for one in kept["tried"]), rel=1e-4)
    assert crf.in_words(kept) in (run.folder / "log.txt").read_text()
    data = load(recipe.data, 0, Path("data"))
    from PIL import Image

    row = int(data.indices["test"][0])
    Image.fromarray(np.array(data.images.pixels[row]).transpose(1, 2, 0)).save(tmp_path / "one.png")
    found = answers(run.folder, [tmp_path / "one.png"])
    assert found.notes == [crf.in_words(kept)]
    first = pl.read_parquet(run.folder / "predictions.parquet").filter(pl.col("split") == "test").head(1)
    assert found.each[0].record["entropy"] == pytest.approx(first["entropy"].item(), rel=1e-3)
    for name in ("one.png", "one_mask.png"):
        (tmp_path / "flat").mkdir(exist_ok=True)
        shutil.copy(tmp_path / "one.png", tmp_path / "flat" / name)
    assert len(answers(run.folder, [tmp_path / "flat"]).each) == 2
    with pytest.warns(PictureWarning, match="1 of 2 pictures are masks"):
        assert len(answers(run.folder, [tmp_path / "flat"], layout="masks").each) == 1
    show_answers(run.folder, [tmp_path / "one.png"], False, False, tmp_path / "drawn", None)
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == [
        "answers.json",
        "one.entropy.png",
        "one.mask.png",
        "one.overlay.png",
    ]
