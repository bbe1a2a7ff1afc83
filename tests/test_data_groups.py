"""Copies of one original stay together: names to groups, and every cut in whole groups."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from assay.data import ImageSet, split
from assay.data.groups import group_numbers
from assay.data.splits import crossing
from assay.data.targets import Labels, Values
from assay.errors import AssayError
from assay.recipe import Data, Recipe
from assay.recipe.validation import mistakes

PATTERN = r"g(\d+)_"


def image_set(groups: list[list[int]], is_test: list[bool] | None = None) -> ImageSet:
    """A group for each list, with one image of every class in it; shuffled."""
    rows = [(f"g{g}_{i}.png", k, bool(is_test and is_test[g])) for g, ks in enumerate(groups) for i, k in enumerate(ks)]
    rows = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]
    return ImageSet(
        pixels=np.zeros((len(rows), 1, 1, 1), np.uint8),
        targets=Labels(np.array([k for _, k, _ in rows], dtype=np.int64)),
        names=[name for name, _, _ in rows],
        is_test=np.array([t for _, _, t in rows], dtype=bool),
        classes=[f"c{k}" for k in range(max(k for _, k, _ in rows) + 1)],
        skipped=[],
    )


def data(**fields: object) -> Data:
    return Data.model_validate({"source": "x", "group": PATTERN, **fields})


def groups_of(images: ImageSet, indices: np.ndarray) -> set[str]:
    return {re.search(PATTERN, images.names[i])[1] for i in indices}


def counts(images: ImageSet, indices: np.ndarray) -> list[int]:
    return np.bincount(images.labels[indices], minlength=len(images.classes)).tolist()


@pytest.mark.parametrize(
    ("pattern", "same"),
    [
        (r"aug_(.*)_\d+_\d+\.", [0, 0, 1, 2, 3]),
        (r"aug_.*_\d+_", [0, 0, 1, 2, 3]),  # no group in it: all that matches
        (r"aug_(no)?", [0, 0, 0, 1, 2]),  # the group may match nothing: then again all of it
        (r"^(yes|no)/", [0, 0, 0, 1, 0]),
    ],
)
def test_the_name_of_the_original(pattern: str, same: list[int]) -> None:
    names = ["yes/aug_Y100_0_2052.jpg", "yes/aug_Y100_0_7.jpg", "yes/aug_29 no_0_1670.jpg", "no/aug_no_0_8106.jpg"]
    assert group_numbers(pattern, [*names, "yes/another.jpg"]).tolist() == same


def test_an_unmatched_name_is_not_the_original_of_that_name() -> None:
    assert group_numbers("of (.*)", ["copy of a", "a", "2nd copy of a", "b"]).tolist() == [0, 1, 0, 2]


def test_a_pattern_that_matches_nothing() -> None:
    with pytest.raises(AssayError, match=r"data.group: 'patient' is found in none of the 2 file names, as 'a'"):
        group_numbers("patient", ["a", "b"])


@pytest.mark.parametrize(
    ("group", "message"), [("(", r"data.group: found '\(', expected a regular expression \(missing \)"), (3, "as text")]
)
def test_a_pattern_is_checked_when_the_recipe_is_read(group: object, message: str) -> None:
    (found,) = mistakes(Recipe, {"data": {"source": "x", "group": group}, "model": {"name": "mlp"}})
    assert re.search(message, found)


def test_a_recipe_without_groups_is_the_recipe_it_was() -> None:
    def recipe(**fields: object) -> Recipe:
        return Recipe.model_validate({"data": {"source": "digits", **fields}, "model": {"name": "mlp"}})

    assert "group" not in recipe(group=None).dump()["data"]
    assert recipe(group=None).hash == recipe().hash
    assert recipe(group="a").hash != recipe().hash
    assert Recipe.model_validate(recipe(group="a").dump()) == recipe(group="a")


def test_whole_groups_of_ten_are_cut_exactly_where_that_is_possible() -> None:
    images = image_set([[0] * 10] * 50 + [[1] * 10] * 100)
    found = split(data(validation=0.1), images, seed=0)
    assert counts(images, found["test"]) == [100, 200]
    assert counts(images, found["validation"]) == [40, 80]
    assert counts(images, split(data(train=200, validation=0), images, seed=0)["train"]) == [100, 100]


def test_groups_of_several_classes() -> None:
    images = image_set([[0, 0, 1], [1, 1, 1, 2], [2, 2, 2, 0]] * 40)
    found = split(data(), images, seed=1)
    np.testing.assert_allclose(counts(images, found["test"]), 0.2 * np.array([120, 160, 160]), atol=2)


def test_every_picture_for_itself_is_cut_as_without_groups() -> None:
    images = image_set([[0]] * 70 + [[1]] * 35)
    for fields in ({}, {"train": 0.5, "test": 11}):
        alone = split(data(**fields), images, seed=0)
        without = split(data(group=None, **fields), images, seed=0)
        assert [counts(images, v) for v in alone.values()] == [counts(images, v) for v in without.values()]


def test_which_groups_follows_the_right_seed() -> None:
    images = image_set([[k] * size for size in range(3, 9) for k in (0, 1) for _ in range(9)])

    def of(seed: int, **fields: object) -> dict[str, list[int]]:
        return {k: v.tolist() for k, v in split(data(**fields), images, seed).items()}

    assert of(0) == of(0)
    assert of(1)["test"] == of(0)["test"]
    assert of(1)["validation"] != of(0)["validation"]
    assert of(0, split_seed=1)["test"] != of(0)["test"]
    chosen = [groups_of(images, np.array(of(0, split_seed=s)["test"])) for s in range(40)]
    assert len(set.union(*chosen)) > 100  # of 108: every group gets its turn


def test_copies_on_both_sides_of_the_sources_own_split() -> None:
    images = image_set([[0, 0], [1, 1], [0, 0], [1, 1]], [False, False, True, True])
    assert len(split(data(validation=0), images, seed=0)["test"]) == 4
    moved = images.is_test.copy()
    moved[images.names.index("g2_0.png")] = False
    across = ImageSet(images.pixels, images.targets, images.names, moved, images.classes, [])
    with pytest.raises(AssayError, match=r"copies of 1 originals on both sides, for example 'g2_0.png' and 'g2_1.png'"):
        split(data(), across, seed=0)
    found = split(data(validation=0, group_across="allowed"), across, seed=0)
    assert (found["test"].tolist(), len(found["train"])) == (np.flatnonzero(moved).tolist(), 5)
    assert crossing(data(), across) == []
    assert crossing(data(group_across="allowed"), images) == []
    assert crossing(data(group_across="allowed"), across) == [
        "1 of 3 test images of the source are of originals that are trained on too (data.group, in its own split): "
        "measured on them, remembering is rewarded"
    ]


def test_a_validation_split_that_goes_on_from_training_is_told_unless_it_is_trained_on() -> None:
    images = image_set([[0, 1]] * 6, [False] * 5 + [True])
    own = np.isin(images.names, ["g0_0.png", "g1_0.png", "g1_1.png"])
    images = replace(images, is_validation=own)
    stated = data(group_across="allowed")
    assert crossing(stated, images)[0].startswith("1 of 3 validation images of the source are")
    assert split(stated, images, seed=0)["validation"].tolist() == np.flatnonzero(own).tolist()
    cut = data(group_across="allowed", validation=2)
    assert crossing(cut, images) == []
    found = split(cut, images, seed=0)
    assert not groups_of(images, found["train"]) & groups_of(images, found["validation"])


def test_across_needs_a_group_and_is_not_written_out() -> None:
    assert "group_across" not in Data(source="x", group="a").model_dump()
    assert "group_across is of the originals" in mistakes(Data, {"source": "x", "group_across": "allowed"})[0]


@pytest.mark.parametrize(
    ("groups", "fields", "message"),
    [
        ([[0, 1] * 10], {}, r"data.test: 0.2 of 20 images in whole groups \(data.group\) is none"),
        ([[0, 1] * 10] * 3, {"test": 0.9}, r"data.test: 0.9 takes all 60 images in whole groups \(data.group\)"),
        ([[0] * 9, [1] * 9, [1] * 9], {"test": 9}, r"class 'c0' \(9 images, in whole groups\) without any in the"),
    ],
)
def test_groups_too_large_for_the_amount(groups: list[list[int]], fields: dict[str, object], message: str) -> None:
    with pytest.raises(AssayError, match=message):
        split(data(validation=0, **fields), image_set(groups), seed=0)


OneClass = st.tuples(st.integers(0, 2), st.integers(1, 7)).map(lambda pair: [pair[0]] * pair[1])
AnyClasses = st.lists(st.integers(0, 2), min_size=1, max_size=7)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(OneClass, min_size=12, max_size=80) | st.lists(AnyClasses, min_size=12, max_size=80),
    st.floats(0.1, 0.6),
    st.floats(0.1, 0.5),
    st.sampled_from([1.0, 0.5, 0.8]),
    st.sampled_from(["train", "test"]),
    st.integers(0, 3),
)
def test_no_original_lies_on_two_sides_and_the_numbers_are_near(
    groups: list[list[int]], test: float, validation: float, train: float, source: str, seed: int
) -> None:
    images = image_set(groups)
    try:
        found = split(data(test=test, validation=validation, train=train, validation_from=source), images, seed)
    except AssayError:
        reject()
    sides = [groups_of(images, v) for v in found.values()]
    assert sum(map(len, sides)) == len(set.union(*sides))
    largest = max(map(len, groups))
    held_out = np.concatenate([found["test"], found["validation"]]) if source == "test" else found["test"]
    assert abs(len(held_out) - test * len(images)) <= largest + 0.5
    every = np.bincount(images.labels, minlength=len(images.classes))
    assert (np.abs(np.array(counts(images, held_out)) - test * every) <= largest + 1).all()
    if source == "train" and train == 1.0:
        left = len(images) - len(held_out)
        assert abs(len(found["validation"]) - validation * left) <= largest + 0.5


def test_copies_of_one_original_stay_together_whatever_is_true_of_them() -> None:
    draw = np.random.default_rng(1)
    originals = np.repeat(np.arange(80), draw.integers(1, 6, 80))
    numbers = Values((originals + draw.normal(0, 0.1, len(originals)))[:, None], ("age",))
    names = [f"g{g}_{i}.png" for i, g in enumerate(originals)]
    none = np.zeros(len(names), bool)
    images = ImageSet(np.zeros((len(names), 1, 1, 1), np.uint8), numbers, names, none, [], [])
    found = split(data(test=0.2, validation=0.2), images, seed=0)
    sides = [groups_of(images, rows) for rows in found.values()]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 80
    assert abs(len(found["test"]) - 0.2 * len(names)) <= 5
    bins = numbers.strata()
    for k in range(10):
        assert abs((bins[found["test"]] == k).sum() - 0.2 * (bins == k).sum()) <= 6
