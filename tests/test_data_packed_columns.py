"""What columns tell: labels, tags, numbers, boxes, masks; and what is wrong with a column, a part or a file."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from assay.data import load, open_images
from assay.data.images import ImageSet
from assay.errors import AssayError
from assay.recipe import Data
from packed_pictures import dataset, library, parquet, png, quietly, shard, written

RNG = np.random.default_rng(1)


def picture(side: int = 8) -> bytes:
    return png(RNG.integers(0, 256, (side, side, 3)).astype(np.uint8))


def rows(labels: list[Any]) -> list[tuple[Any, str, bytes]]:
    return [(label, f"{k}.png", picture()) for k, label in enumerate(labels)]


def saved(root: Path, features: dict[str, Any], **columns: Any) -> str:
    """Four rows by save_to_disk."""
    found = dataset(rows([0, 1, 0, 1]), features, **columns)
    quietly(lambda: found.save_to_disk(str(root / "set")))
    return "hf:set"


def opened(root: Path, **data: Any) -> ImageSet:
    return open_images(Data(**data), root)


# ---------------------------------------------------------------------------------------- what is true


def test_whole_numbers_are_classes_in_their_order(tmp_path: Path) -> None:
    parquet(tmp_path / "x.parquet", rows([10, 2, 10, 2]))
    images = opened(tmp_path, source="x.parquet")
    assert images.classes == ["2", "10"]
    assert images.labels.tolist() == [1, 0, 1, 0]


def test_names_that_hugging_face_writes_into_parquet_are_the_classes(tmp_path: Path) -> None:
    quietly(lambda: dataset(rows([1, 0, 1, 0])).to_parquet(str(tmp_path / "x.parquet")))
    images = opened(tmp_path, source="x.parquet")
    assert images.classes == ["cat", "dog"]
    assert images.labels.tolist() == [1, 0, 1, 0]
    assert images.names[2] == "x/00002/2.png"


def test_a_column_of_bytes_alone_is_one_of_pictures(tmp_path: Path) -> None:
    pl.DataFrame({"img": [picture() for _ in range(4)], "label": list("abab")}).write_parquet(tmp_path / "x.parquet")
    assert opened(tmp_path, source="x.parquet").labels.tolist() == [0, 1, 0, 1]


def test_lists_of_classes_are_tags(tmp_path: Path) -> None:
    datasets = library()

    kind = datasets.List(datasets.ClassLabel(names=["sea", "sky", "sun"]))
    source = saved(tmp_path, {"things": kind}, things=[[0, 2], [], [2], [0]])
    images = opened(tmp_path, source=source, label="things")
    assert images.classes == ["sea", "sun"]
    assert [images.targets.line(k) for k in range(4)] == ["11", "00", "01", "10"]
    assert opened(tmp_path, source=source, tags="things").classes == ["sea", "sun"]


def test_columns_of_0_and_1_are_tags(tmp_path: Path) -> None:
    parquet(tmp_path / "x.parquet", rows([0, 1, 1, 0]), sky=[1, 1, 0, 0])
    images = opened(tmp_path, source="x.parquet", tags=["sky", "label"])
    assert [images.targets.line(k) for k in range(4)] == ["10", "11", "01", "00"]


def test_a_column_of_decimals_is_what_regression_learns(tmp_path: Path) -> None:
    parquet(tmp_path / "x.parquet", rows([0.5, 1.25, 2.0, 4.0]), weight=[1, 2, 3, 4])
    images = opened(tmp_path, source="x.parquet")
    assert images.targets.values.tolist() == [[0.5], [1.25], [2.0], [4.0]]
    both = opened(tmp_path, source="x.parquet", targets=["weight", "label"])
    assert both.targets.values[1].tolist() == [2, 1.25]
    assert both.classes == ["weight", "label"]


@pytest.mark.parametrize("form", ["hf", "webdataset"])
def test_objects_are_boxes_of_x_y_width_and_height(tmp_path: Path, form: str) -> None:
    datasets = library()

    if form == "hf":
        one = {"bbox": datasets.List(datasets.Value("float32")), "category": datasets.ClassLabel(names=["a", "b"])}
        told = [[{"bbox": [1, 2, 3, 4], "category": 1}], [], [{"bbox": [0, 0, 8, 8], "category": 0}], []]
        source = saved(tmp_path, {"objects": datasets.List(one)}, objects=told)
    else:
        told = [[{"bbox": [1, 2, 3, 4], "category": "b"}], [], [{"bbox": [0, 0, 8, 8], "category": "a"}], []]
        shard(tmp_path / "x.tar", [{"png": picture(), "json": json.dumps({"objects": o}).encode()} for o in told])
        source = "x.tar"
    images = opened(tmp_path, source=source, truth="boxes")
    assert images.classes == ["a", "b"]
    assert images.targets.counts.tolist() == [1, 0, 1, 0]
    assert images.targets.edges.tolist() == [[1, 2, 4, 6], [0, 0, 8, 8]]
    assert images.targets.labels.tolist() == [1, 0]


def test_a_column_of_pictures_called_label_is_masks(tmp_path: Path) -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[:2] = 1
    images = [{"bytes": picture(), "path": None} for _ in range(3)]
    frame = pl.DataFrame({"pixel_values": images, "label": [{"bytes": png(mask), "path": None}] * 3})
    frame.write_parquet(tmp_path / "x.parquet")
    assert opened(tmp_path, source="x.parquet").targets.own(1).sum() == 16


def test_pictures_are_found_in_any_block_of_any_file(tmp_path: Path) -> None:
    shades = np.arange(700) % 251
    for part, there in (("train-0", shades[:600]), ("train-1", shades[600:])):
        each = [(int(k % 2), f"{k}.png", png(np.full((1, 1), k, np.uint8))) for k in there]
        parquet(tmp_path / f"{part}.parquet", each)
    images = opened(tmp_path, source="parquet:train-*.parquet")
    assert images.pixels[:, 0, 0, 0].tolist() == shades.tolist()


@pytest.mark.parametrize(("values", "classes"), [((0, 3), ["0", "3"]), ((0, 255), ["0", "255"])])
def test_a_second_column_of_pictures_is_masks(tmp_path: Path, values: tuple[int, int], classes: list[str]) -> None:
    mask = np.full((8, 8), values[0], np.uint8)
    mask[:3] = values[1]
    cells = [{"bytes": png(mask), "path": None}] * 4
    images = [{"bytes": picture(), "path": None} for _ in range(4)]
    pl.DataFrame({"image": images, "mask": cells}).write_parquet(tmp_path / "x.parquet")
    found = opened(tmp_path, source="x.parquet")
    assert found.classes == classes
    assert [(found.targets.own(2) == value).sum() for value in (0, 1)] == [40, 24]


def test_masks_lie_in_a_tar_as_pictures_with_a_name_before_their_ending(tmp_path: Path) -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[2:4] = 1
    shard(tmp_path / "x.tar", [{"png": picture(), "seg.png": png(mask)} for _ in range(3)])
    assert opened(tmp_path, source="x.tar").targets.own(0).sum() == 16


# --------------------------------------------------------------------------------------------- splits


def test_parts_are_the_splits_that_the_study_says(tmp_path: Path) -> None:
    source = written("hf", tmp_path)
    split = {"train": ["train", "test"], "test": "validation"}
    data = load(Data(source=source, split=split, validation=4), 0, tmp_path)
    assert {name: len(each) for name, each in data.indices.items()} == {"train": 32, "validation": 4, "test": 8}
    one = open_images(Data(source=source, split="test"), tmp_path)
    assert len(one) == 12
    assert not one.is_test.any()


def test_a_column_says_the_split_of_each_row(tmp_path: Path) -> None:
    parquet(tmp_path / "x.parquet", rows(list("abab")), fold=["train", "train", "val", "test"])
    images = opened(tmp_path, source="x.parquet", split="fold")
    assert images.is_test.tolist() == [False, False, False, True]
    assert images.is_validation.tolist() == [False, False, True, False]


def test_shards_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        shard(tmp_path / f"train-{number:03d}.tar", [{"png": picture(), "cls": str(number % 5).encode()}])
    images = opened(tmp_path, source="webdataset:.")
    assert images.labels.tolist() == [1, 2, 0]
    with pytest.raises(AssayError, match=r"there is no file .*train-003\.tar'; 2 of its 3 files are there"):
        opened(tmp_path, source="train-{001..003}.tar")


# ------------------------------------------------------------------------------------------ what is wrong


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"label": "lable"}, r"data\.label: x\.parquet has no column 'lable'; did you mean 'label'\?"),
        ({"image": "imag"}, r"data\.image: x\.parquet has no column 'imag'; did you mean 'image'\?"),
        ({"image": "label"}, r"data\.image: column 'label' of x\.parquet has no pictures; those that have are 'image'"),
        ({"tags": ["sku"]}, r"data\.tags: x\.parquet has no column 'sku'; expected one of: image, label, note"),
        ({"split": "foldd"}, r"no part and no column 'foldd'; its parts are 'x'"),
        ({"split": {"train": "tain"}}, r"data\.split: x\.parquet has no part 'tain'; it has 'x'"),
        ({"label": "note"}, r"column 'note', x/00001/1\.png: found no label, expected a class.*\(and 1 more like it\)"),
        ({"targets": ["label"]}, r"column 'label', x/00000/0\.png: found 'a', expected a finite number"),
        ({"truth": "boxes"}, r"x\.parquet has no boxes: no column has objects with bbox and category"),
        ({"ignore": 1}, r"data\.ignore names classes of masks, and x\.parquet is read for no masks"),
    ],
)
def test_a_wrong_key_is_told_with_what_there_is(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    parquet(tmp_path / "x.parquet", rows(list("abab")), note=["a", None, "b", None])
    with pytest.raises(AssayError, match=message):
        opened(tmp_path, source="x.parquet", **keys)


@pytest.mark.parametrize("form", ["hf", "parquet"])
def test_a_part_that_numbers_its_classes_otherwise_is_refused(tmp_path: Path, form: str) -> None:
    datasets = library()
    other = {"label": datasets.ClassLabel(names=["dog", "cat"])}
    parts = {"train": dataset(rows([0, 1, 0, 1])), "test": dataset(rows([0, 1]), other)}
    save(parts, form, tmp_path)
    with pytest.raises(AssayError, match=r"column 'label' has other classes, or in another order, in .* than in .*"):
        opened(tmp_path, source=f"{form}:set")


@pytest.mark.parametrize("form", ["hf", "parquet"])
def test_a_part_without_labels_is_told_and_may_be_left_out(tmp_path: Path, form: str) -> None:
    parts = {"train": dataset(rows([0, 1, 0, 1])), "test": dataset(rows([0, 1])).remove_columns("label")}
    save(parts, form, tmp_path)
    with pytest.raises(AssayError, match=r"column 'label', test/00000/0\.png: found no label, .*data\.split"):
        opened(tmp_path, source=f"{form}:set")
    assert len(opened(tmp_path, source=f"{form}:set", split="train")) == 4


def save(parts: dict[str, Any], form: str, root: Path) -> None:
    """Hugging Face's parts, each by itself, as ``set``."""
    if form == "parquet":
        (root / "set").mkdir()
        for name, part in parts.items():
            quietly(partial(part.to_parquet, str(root / "set" / f"{name}.parquet")))
    else:
        for name, part in parts.items():
            quietly(partial(part.save_to_disk, str(root / "set" / name)))
        (root / "set" / "dataset_dict.json").write_text(json.dumps({"splits": list(parts)}))


def test_parts_whose_names_say_no_split_are_asked_for(tmp_path: Path) -> None:
    for part in ("north", "south"):
        parquet(tmp_path / f"{part}.parquet", rows(list("abab")))
    with pytest.raises(AssayError, match=r"has the parts 'north' and 'south', and 'north' names no split; say which"):
        opened(tmp_path, source="parquet:.")


def test_a_set_without_pictures_or_rows_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"text": ["a"], "label": [1]}).write_parquet(tmp_path / "x.parquet")
    with pytest.raises(AssayError, match=r"x\.parquet has no column of pictures; its columns are 'text' and 'label'"):
        opened(tmp_path, source="x.parquet")
    parquet(tmp_path / "y.parquet", [])
    with pytest.raises(AssayError, match=r"y\.parquet has no rows"):
        opened(tmp_path, source="y.parquet")


@pytest.mark.parametrize("content", [b"no picture", None])
def test_a_picture_that_cannot_be_decoded_is_named_by_part_and_row(tmp_path: Path, content: bytes | None) -> None:
    each = rows(list("ababab"))
    each[2] = ("a", "2.png", content)  # type: ignore[assignment]
    parquet(tmp_path / "x.parquet", each)
    with pytest.raises(AssayError, match=r"x\.parquet has images or labels that cannot be read: x/00002/2\.png \("):
        opened(tmp_path, source="x.parquet")
    assert len(opened(tmp_path, source="x.parquet", on_bad_image="skip")) == 5


def test_a_file_cut_off_is_named(tmp_path: Path) -> None:
    path = parquet(tmp_path / "x.parquet", rows(list("abab")))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(AssayError, match=r"x\.parquet is not a whole Parquet file"):
        opened(tmp_path, source="x.parquet")


@pytest.mark.parametrize("kept", [200, 512, 700, 1536, 2100, 2560, 3584, 4000])
def test_a_tar_cut_off_anywhere_is_told_with_what_is_whole(tmp_path: Path, kept: int) -> None:
    path = shard(tmp_path / "x-000.tar", [{"png": picture(), "cls": b"a"}, {"png": picture(), "cls": b"b"}])
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(AssayError, match=r"x-000\.tar is (cut off: [01] samples are whole|not a whole tar file)"):
        opened(tmp_path, source="x-000.tar")


def test_what_is_nowhere_is_told_with_the_nearest(tmp_path: Path) -> None:
    parquet(tmp_path / "flowers.parquet", rows(list("abab")))
    with pytest.raises(AssayError, match=r"no Parquet 'flower\.parquet'.*did you mean 'flowers\.parquet'"):
        opened(tmp_path, source="flower.parquet")


def test_a_folder_of_save_to_disk_that_is_cut_off_is_named(tmp_path: Path) -> None:
    source = saved(tmp_path, {})
    (arrow,) = (tmp_path / "set").glob("*.arrow")
    arrow.write_bytes(arrow.read_bytes()[:300])
    with pytest.raises(AssayError, match=r"hf:set: '.*set' is not a whole data set of save_to_disk"):
        opened(tmp_path, source=source)


def test_a_name_that_is_not_in_the_cache_is_not_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = library()

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    with pytest.raises(AssayError, match=r"a study downloads nothing; get it by: .*load_dataset\('owner/beans'\)"):
        opened(tmp_path, source="hf:owner/beans")


def test_what_load_dataset_has_put_into_the_cache_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = library()

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "files").mkdir()
    for split in ("train", "test"):
        quietly(lambda: dataset(rows([0, 1, 0, 1])).to_parquet(str(tmp_path / "files" / f"{split}.parquet")))  # noqa: B023
    assert opened(tmp_path, source="hf:files").labels.tolist() == [0, 1] * 4
    (made,) = (each for each in (tmp_path / "cache").iterdir() if each.is_dir())
    made.rename(made.parent / "owner___beans")
    for file in (tmp_path / "cache").rglob("files-*.arrow"):
        file.rename(file.with_name(file.name.replace("files-", "beans-")))
    images = opened(tmp_path, source="hf:owner/beans")
    assert images.classes == ["cat", "dog"]
    assert images.is_test.sum() == 4


def test_without_datasets_the_extra_is_named(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['datasets'] = None\n"
        "from pathlib import Path; from assay.data import open_images; from assay.recipe import Data\n"
        f"open_images(Data(source='hf:x'), Path({str(tmp_path)!r}))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "hf:x is read by Hugging Face's datasets: pip install 'assay-studies[hf]'" in ended.stderr


def test_a_split_is_written_as_it_is_read() -> None:
    data = Data.model_validate({"source": "hf:x", "split": {"test": ["b", "c"], "train": "a"}})
    assert data.model_dump(mode="json")["split"] == {"train": "a", "test": ["b", "c"]}
    assert Data.model_validate(data.model_dump(mode="json")) == data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"source": "x.parquet", "table": "y.csv", "label": "z"}, "table goes with a folder or zip of pictures"),
        ({"source": "x.tar", "layout": "classes"}, "x.tar has parts: name them in split"),
        ({"source": "x.tar", "label": "a", "tags": "b"}, "label and tags exclude each other"),
        ({"source": "x", "label": "a"}, "label names a column of a table, and the key table is missing"),
        ({"source": "hf:x", "split": {"tset": "a"}}, "{train: train, test: validation}"),
        ({"source": "x", "table": "t.csv", "label": "a", "split": {"train": "a"}}, "a table has a column that says it"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("{", r"\{")):
        Data.model_validate(data)
