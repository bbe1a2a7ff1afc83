"""Only what is used is decoded: the same images as if all had been."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import nn

from assay.data import ImageData, load, load_chosen
from assay.evaluate import separation
from assay.evaluate.separation import chosen
from assay.recipe import Data, SeparationMeasure
from assay.tools.probe import probe_model
from assay.tools.ranking import rank


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    random = np.random.default_rng(0)
    for number in range(60):
        path = tmp_path / "set" / "abc"[number % 3] / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (40, 40, 3), np.uint8)).save(path)
    return tmp_path


def ten(whole: ImageData) -> ImageData:
    return chosen(whole, 0, SeparationMeasure(images=10))


def test_the_images_are_those_that_would_be_chosen_of_all(root: Path) -> None:
    data = Data(source="set", validation=0.25, normalize="unit")
    decoded: list[int] = []
    part = load_chosen(data, 3, root, ten, lambda done, total: decoded.append(total))
    whole = ten(load(data, 3, root))
    assert set(decoded) == {30}
    for split in ("train", "validation", "test"):
        ours, theirs = part.indices[split], whole.indices[split]
        assert [part.images.names[i] for i in ours] == [whole.images.names[i] for i in theirs]
        assert len(ours) == 10
        np.testing.assert_array_equal(part.images.pixels[ours], whole.images.pixels[theirs])
        np.testing.assert_array_equal(part.images.labels[ours], whole.images.labels[theirs])


def test_what_was_chosen_is_decoded_once(root: Path) -> None:
    again: list[int] = []
    first = load_chosen(Data(source="set"), 0, root, ten)
    second = load_chosen(Data(source="set"), 0, root, ten, lambda done, total: again.append(total))
    assert again == []
    assert isinstance(second.images.pixels, np.memmap)
    assert first.images.identity == second.images.identity != load(Data(source="set"), 0, root).images.identity


def test_all_images_are_those_that_runs_share(root: Path) -> None:
    part = load_chosen(Data(source="set"), 0, root, lambda whole: whole)
    assert part.images.identity == load(Data(source="set"), 0, root).images.identity


def test_a_chosen_image_that_cannot_be_read_is_left_out(root: Path) -> None:
    data = Data(source="set", on_bad_image="skip")
    good = load_chosen(data, 0, root, ten)
    name = good.images.names[good.indices["train"][0]]
    (root / "set" / name).write_bytes(b"no")
    part = load_chosen(data, 0, root, ten)
    assert part.images.skipped == [(name, "not an image")]
    there = [
        [good.images.names[i] for i in good.indices[split] if good.images.names[i] != name] for split in good.indices
    ]
    assert [[part.images.names[i] for i in part.indices[split]] for split in part.indices] == there


def test_probe_decodes_what_it_measures(root: Path) -> None:
    decoded: list[int] = []
    probe_model("cnn", "set", images=6, size=32, root=root, decoding=lambda done, total: decoded.append(total))
    assert set(decoded) == {12}


def test_probe_takes_no_validation_image_of_the_source_s_own_for_a_training_image(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, path in enumerate(sorted((root / "set").rglob("*.png"))):
        part = "one" if number % 20 < 16 else "two"
        (root / "parts" / part / path.parent.name).mkdir(parents=True, exist_ok=True)
        path.rename(root / "parts" / part / path.parent.name / path.name)
    seen: list[dict[str, set[str]]] = []
    whole = separation.measured_layers

    def watched(network: nn.Module, data: ImageData, *rest: Any) -> Any:
        seen.append({split: {data.images.names[i][:3] for i in rows} for split, rows in data.indices.items()})
        return whole(network, data, *rest)

    monkeypatch.setattr(separation, "measured_layers", watched)
    folders = (("one", "train"), ("two", "validation"))
    probe_model("cnn", "parts", splits=["train", "validation"], size=32, root=root, layout=folders)
    probe_model("cnn", "parts", splits=["train"], size=32, root=root, layout=folders)
    assert [(each["train"], each["validation"]) for each in seen] == [({"one"}, {"two"})] * 2


def test_rank_decodes_what_it_looks_at_and_no_test_image(root: Path) -> None:
    decoded: list[int] = []
    rank("set", ["torchvision/squeezenet1_0"], 9, 32, False, root=root, decoding=lambda _, total: decoded.append(total))
    assert set(decoded) == {18}
