"""Folders are read as splits and classes by their names, or as the recipe says; what could be either is refused."""

from collections.abc import Mapping

import pytest

from assay.data.sources.alike import alike
from assay.data.sources.layout import layout
from assay.data.sources.split_names import split_called, split_in
from assay.errors import AssayError
from assay.recipe import Data


def read(*pictures: str, empty: tuple[str, ...] = (), stated: object = None) -> Mapping[str, tuple[str, str]]:
    """Picture → (class, split), of pictures written as ``train/{a,b}/1.png``."""
    names = [name for picture in pictures for name in spelt(picture)]
    folders = {name.rsplit("/", k)[0] for name in names for k in range(1, name.count("/") + 1)} | set(empty)
    how = Data.model_validate({"source": "x", "layout": stated}).layout
    found = layout("set", names, folders, how)
    assert found.classes == sorted({p.label for p in found.placed})
    return {p.name: (p.label, p.split) for p in found.placed} | {name: (why, "") for name, why in found.misplaced}


def spelt(picture: str) -> list[str]:
    if "{" not in picture:
        return [picture]
    before, rest = picture.split("{", 1)
    inside, after = rest.split("}", 1)
    return [name for each in inside.split(",") for name in spelt(f"{before}{each}{after}")]


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train", "val", "test"),
        ("Training", "valid", "Testing"),
        ("train", "dev", "eval"),
        ("TRAIN", "development", "hold-out"),
        ("seg_train", "seg_val", "seg_test"),
        ("seg_train/seg_train", "seg_val/seg_val", "seg_test/seg_test"),
        ("training_set/training_set", "validation_set", "test_set/test_set"),
        ("train2017", "val2017", "test2017"),
        ("TrainImages", "ValImages", "TestImages"),
        ("my train/train", "my validation/validation", "my test/test"),
    ],
)
@pytest.mark.parametrize("top", ["", "archive/v2/"])
def test_usual_names_and_nestings_of_splits(train: str, validation: str, test: str, top: str) -> None:
    tree = [f"{top}{train}/{{a,b}}/1.png", f"{top}{validation}/a/deep/1.png", f"{top}{test}/{{a,b}}/1.png"]
    assert read(*tree) == {
        f"{top}{train}/a/1.png": ("a", "train"),
        f"{top}{train}/b/1.png": ("b", "train"),
        f"{top}{validation}/a/deep/1.png": ("a", "validation"),
        f"{top}{test}/a/1.png": ("a", "test"),
        f"{top}{test}/b/1.png": ("b", "test"),
    }


def test_splits_within_each_class() -> None:
    assert read("pets/{cat,dog}/{train,test}/1.png", "pets/cat/val/2.png") == {
        "pets/cat/train/1.png": ("cat", "train"),
        "pets/cat/test/1.png": ("cat", "test"),
        "pets/dog/train/1.png": ("dog", "train"),
        "pets/dog/test/1.png": ("dog", "test"),
        "pets/cat/val/2.png": ("cat", "validation"),
    }


@pytest.mark.parametrize(
    "tree",
    [
        ["{bus,car,train}/1.png"],
        ["{bus,train}/1.png", "train/ICE/2.png"],
        ["{freight train,passenger train,crash test}/1.png"],
        ["{bus,test tube}/{day,night}/1.png", "train station/1.png"],
        ["{cat,dog}/images/1.png"],
        ["{cat,dog}/{left,right}/1.png", "{cat,dog}/{1,2,3}.png"],
        ["cat/{2019,2020}/1.png", "dog/{2021,2022}/1.png"],
        ["{train_val,other}/1.png"],
    ],
)
def test_classes_that_only_look_like_splits_are_classes(tree: list[str]) -> None:
    found = read(*tree)
    assert len({label for label, _ in found.values()}) > 1
    assert all(split == "train" and name.startswith(f"{label}/") for name, (label, split) in found.items())


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (
            ["fold_{0,1,2}/{a,b}/1.png"],
            "folders 'fold_0', 'fold_1' and 'fold_2' could be classes, or parts of one set .*: in each lie 'a' and "
            "'b'; say which, by data.layout: classes, or by data.layout: {fold_0: train, fold_2: test}",
        ),
        (
            ["camera1/{a,b,c}/1.png", "camera2/{a,b}/1.png"],
            "folders 'camera1' and 'camera2' .*: in each lie 'a' and 'b'",
        ),
        (["set/{seg_test,seg_rest}/{a,b}/1.png"], "by data.layout: {seg_rest: train, seg_test: test}"),
        (["{freight_train,fast_train}/{a,b}/1.png"], "data.layout: classes"),
        (
            ["train/{a,b}/1.png", "unlabelled/1.png"],
            "'train' and 'unlabelled' could be classes, .*: in 'train' lie 'a' and 'b'",
        ),
        (
            ["train/{c0,c1}/{a,b}/1.png", "test/c0/a/1.png"],
            "folders 'train/c0' and 'train/c1' .* by data.layout: splits, or by",
        ),
        (["train/1.png", "dev/1.png"], "folder 'train' but no class folders"),
        (
            ["{train,test,val}/{a,b}/1.png", "xray/{train,test,val}/{a,b}/1.png"],
            "holds 'test', 'train' and 'val' twice, directly and in 'xray'; remove one of them, or have the outer ones "
            "read by data.layout: {test: test, train: train, val: validation} and data.on_bad_image: skip",
        ),
        (
            ["train/{hot dog,cat}/1.png", "test/{hot_dog,Cat}/1.png"],
            "'Cat' and 'cat'; 'hot dog' and 'hot_dog' differ only",
        ),
        (
            ["caf\u00e9/1.png", "cafe\u0301/1.png"],
            r"'cafe\\u0301' and 'caf\\xe9' differ only .* set data.layout: classes",
        ),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused_with_the_key(tree: list[str], message: str) -> None:
    with pytest.raises(AssayError, match=message):
        read(*tree)


def test_the_recipe_may_say_that_folders_are_classes() -> None:
    found = read("fold_{0,1}/{a,b}/1.png", stated="classes")
    assert {label for label, _ in found.values()} == {"fold_0", "fold_1"}
    assert {label for label, _ in read("train/{a,b}/1.png", "test/{a,b}/1.png", stated="classes").values()} == {
        "train", "test",
    }  # fmt: skip
    assert {label for label, _ in read("{a,A}/1.png", stated="classes").values()} == {"a", "A"}


def test_the_recipe_may_say_that_folders_are_splits() -> None:
    assert read("{my_train,other}/{a,b}/1.png", stated="splits") == {
        "my_train/a/1.png": ("a", "train"),
        "my_train/b/1.png": ("b", "train"),
        "other/a/1.png": ("lies in neither the train nor the test folder", ""),
        "other/b/1.png": ("lies in neither the train nor the test folder", ""),
    }
    with pytest.raises(
        AssayError, match=r"data.layout: splits, and set has no folder called train.*{x: train, y: test}"
    ):
        read("{x,y}/{a,b}/1.png", stated="splits")


def test_the_recipe_may_say_which_split_each_folder_is() -> None:
    stated = {"fold_0": "train", "fold_1": "train", "2": "validation", "deep/er": "test"}
    found = read("top/{fold_0,fold_1,2,deep/er}/{a,b}/1.png", stated=stated)
    assert {name.removesuffix("/1.png"): place for name, place in found.items()} == {
        f"top/{folder}/{label}": (label, split) for folder, split in stated.items() for label in "ab"
    }
    assert read("top/x/{a,b}/1.png", "top/y/a/1.png", stated={"top/x": "train"})["top/y/a/1.png"][1] == ""
    with pytest.raises(
        AssayError, match=r"data.layout: set has no folder 'fold_3' with pictures; did you mean 'fold_0'"
    ):
        read("fold_0/{a,b}/1.png", "y/a/1.png", stated={"fold_3": "train"})


def test_empty_and_untrained_classes_are_named_all_at_once() -> None:
    with pytest.raises(AssayError, match="class folder 'c' and 'd' of set has no picture"):
        read("{a,b}/1.png", empty=("c", "d"))
    with pytest.raises(AssayError, match="class 'c' and 'd' of set has test pictures but none to train on"):
        read("train/{a,b}/1.png", "test/{a,c,d}/1.png")


def test_words_of_splits() -> None:
    assert [split_called(name) for name in ("Train", "hold_out", "seg_train", "valid", "cat")] == [
        "train", "test", None, "validation", None,
    ]  # fmt: skip
    assert [split_in(name) for name in ("seg_train", "XTest", "TESTSET", "val2017", "train_val", "latest")] == [
        "train", None, "test", "validation", None, None,
    ]  # fmt: skip


def test_names_that_a_person_takes_for_the_same() -> None:
    names = ["a", "A", "hot dog", "hot_dog", " hot  dog", "caf\u00e9", "cafe\u0301", "x1", "x 1", "STRASSE", "straße"]
    assert alike(names) == [
        ["A", "a"],
        ["cafe\u0301", "caf\u00e9"],
        [" hot  dog", "hot dog", "hot_dog"],
        ["STRASSE", "straße"],
    ]
