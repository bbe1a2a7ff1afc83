"""One seed of maps on films: whole films are drawn for the interval, also where the source's split cuts them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.errors import AssayError
from assay.recipe.study import load_study
from assay.results import Results
from assay.runs.engine import run as run_study
from drawn_masks import mask, picture, values

STUDY = """
title: Does the rate matter?
base:
  task: segmentation
  data: {{source: {source}, group: '([^/]*)_\\d+', group_across: {across}, validation: 2}}
  model: {{name: deeplab, width: 4}}
  train: {{epochs: 1, batch_size: 4, optimizer: {{name: adam}}}}
  evaluate: [segmentation]
variants:
  slow: {{train.optimizer.lr: 0.0001}}
  fast: {{train.optimizer.lr: 0.1}}
seeds: 1
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Films of 6 frames; the last ones of two of them test."""
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "films"
    for film in range(4):
        for frame in range(6):
            split = "test" if film < 2 and frame > 2 else "train"
            name = f"{split}/film{film}_{frame}.png"
            picture(folder / "images" / name, (32, 32), 10 * film + frame)
            drawn = values(size=(32, 32))
            drawn[: 6 + 8 * film, frame:] = 1
            mask(folder / "masks" / name, drawn)
    (folder / "classes.txt").write_text("ground\ndisc\n")
    return folder


def written(folder: Path, across: str) -> Path:
    path = folder.parent / f"{across}.yaml"
    path.write_text(STUDY.format(source=folder, across=across), encoding="utf-8")
    return path


def miou(matrices: Any) -> float:
    matrix = np.array(matrices.to_list()).reshape(-1, 2, 2).sum(axis=0)
    hits, union = np.diag(matrix), matrix.sum(axis=0) + matrix.sum(axis=1) - np.diag(matrix)
    return float((hits / np.maximum(union, 1))[union > 0].mean())


def test_the_interval_of_one_seed_draws_whole_films(study: Path, tmp_path: Path) -> None:
    results: Results = run_study(load_study(written(study, "allowed")), tmp_path / "runs", quiet=True)
    (found,) = results.compare("miou", "slow")
    assert found.method == "bootstrap over originals, swaps"
    tables = {run.variant: results.predictions(run).filter(split="test") for run in results.finished}
    differences = []
    for film in ("film0", "film1"):
        one, other = (
            miou(table.filter(table["name"].str.contains(film))["confusion"])
            for table in (tables["fast"], tables["slow"])
        )
        differences.append(one - other)
    # of two films a quarter of the draws is the one twice and a quarter the other: these are the ends
    assert (found.low, found.high) == pytest.approx((min(differences), max(differences)))
    assert min(differences) < max(differences)
    assert found.low <= found.difference <= found.high
    assert "seeds were not varied" in results.verdict("miou")
    log = (results.finished[0].folder / "log.txt").read_text(encoding="utf-8")
    assert "6 of 6 test images" in log


def test_films_on_both_sides_are_refused_until_the_study_allows_them(study: Path, tmp_path: Path) -> None:
    with pytest.raises(AssayError, match=r"copies of 2 originals on both sides, .* state data.group_across: allowed"):
        run_study(load_study(written(study, "refused")), tmp_path / "runs", quiet=True)
