"""Sources in columns: the same pictures are the same data in every form, and what is wrong with one is a sentence."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import assay
from assay.data import load, open_images
from assay.recipe import Data
from packed_pictures import CLASSES, FORMS, SPLITS, written

STUDY = {
    "title": "Which rate?",
    "base": {
        "task": "classification",
        "model": {"name": "mlp"},
        "train": {"epochs": 2, "batch_size": 8, "optimizer": {"name": "adam", "lr": 0.001}},
        "evaluate": ["classification"],
    },
    "variants": {"one": {}},
    "seeds": 1,
}


@pytest.mark.parametrize("form", FORMS)
def test_splits_classes_and_pixels_are_those_of_the_folder(tmp_path: Path, form: str) -> None:
    ours = load(Data(source=written(form, tmp_path)), 0, tmp_path)
    folder = load(Data(source=written("folder", tmp_path / "folder")), 0, tmp_path / "folder")
    assert ours.images.classes == list(CLASSES)
    for split, n in SPLITS.items():
        rows, theirs = ours.indices[split], folder.indices[split]
        assert len(rows) == n
        np.testing.assert_array_equal(ours.images.pixels[rows], folder.images.pixels[theirs])
        np.testing.assert_array_equal(ours.images.labels[rows], folder.images.labels[theirs])


def test_every_form_trains_to_the_same_bytes(tmp_path: Path) -> None:
    weights = set()
    for form in (form for form in FORMS if form != "hf" or find_spec("datasets")):
        root = tmp_path / form
        base = {**STUDY["base"], "data": {"source": written(form, root)}}
        study = assay.Study.model_validate({**STUDY, "name": form, "base": base})
        assay.run(study, root / "runs", data=root, quiet=True)
        weights.add(next((root / "runs").rglob("model.safetensors")).read_bytes())
    assert len(weights) == 1


@pytest.mark.parametrize("form", FORMS)
def test_other_pixels_are_another_identity(tmp_path: Path, form: str) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    source = Data(source=written(form, first))
    written(form, second)
    assert open_images(source, first).identity == open_images(source, first).identity
    assert open_images(source, first).identity != open_images(source, second).identity
