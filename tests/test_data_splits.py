"""Splits: exact numbers, disjoint, stratified, functions of the right seeds, errors with both numbers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.data import ImageSet, split
from assay.data.boxes import Boxes
from assay.data.splits import even_allotment, proportional_allotment
from assay.data.targets import Labels, Tags, Targets, Values
from assay.errors import AssayError
from assay.recipe import Data


def image_set(train: list[int], test: list[int] | None = None) -> ImageSet:
    """So many images of each class, the classes interleaved."""
    rng = np.random.default_rng(0)
    test = test or [0] * len(train)
    labels = np.concatenate([np.repeat(np.arange(len(train)), counts) for counts in (train, test)])
    is_test = np.arange(len(labels)) >= sum(train)
    order = rng.permutation(len(labels))
    n = len(labels)
    return ImageSet(
        pixels=np.zeros((n, 1, 1, 1), np.uint8),
        targets=Labels(labels[order].astype(np.int64)),
        names=[str(i) for i in range(n)],
        is_test=is_test[order],
        classes=[f"c{k}" for k in range(len(train))],
        skipped=[],
    )


def counts(images: ImageSet, indices: np.ndarray) -> list[int]:
    return np.bincount(images.labels[indices], minlength=len(images.classes)).tolist()


def data(**fields: object) -> Data:
    return Data.model_validate({"source": "x", **fields})


FASHION = image_set([6000] * 10, [1000] * 10)


def test_defaults_of_a_source_with_a_test_split() -> None:
    found = split(data(), FASHION, seed=0)
    assert counts(FASHION, found["train"]) == [5400] * 10
    assert counts(FASHION, found["validation"]) == [600] * 10
    np.testing.assert_array_equal(found["test"], np.flatnonzero(FASHION.is_test))


def test_validation_cut_from_the_test_images() -> None:
    found = split(data(validation=6000, validation_from="test"), FASHION, seed=0)
    assert {k: len(v) for k, v in found.items()} == {"train": 60000, "validation": 6000, "test": 4000}
    assert counts(FASHION, found["validation"]) == [600] * 10
    assert FASHION.is_test[found["validation"]].all()
    assert not FASHION.is_test[found["train"]].any()


def test_a_share_of_the_training_images_is_balanced() -> None:
    found = split(data(train=0.1, validation=0.1), FASHION, seed=0)
    assert counts(FASHION, found["train"]) == [540] * 10
    assert counts(FASHION, found["validation"]) == [60] * 10
    assert len(found["test"]) == 10000


def test_a_source_without_a_test_split_holds_a_fifth_out() -> None:
    images = image_set([100, 50])
    found = split(data(validation=0), images, seed=0)
    assert counts(images, found["test"]) == [20, 10]
    assert counts(images, found["train"]) == [80, 40]
    assert found["validation"].tolist() == []
    assert counts(images, split(data(test=15), images, seed=0)["test"]) == [10, 5]


def test_the_test_split_may_be_reduced() -> None:
    found = split(data(test=0.25), FASHION, seed=0)
    assert counts(FASHION, found["test"]) == [250] * 10
    assert FASHION.is_test[found["test"]].all()


def test_a_count_takes_as_many_of_each_class_as_there_are() -> None:
    images = image_set([5, 100, 100], [9, 9, 9])
    found = split(data(train=65, validation=0), images, seed=0)
    assert counts(images, found["train"]) == [5, 30, 30]


def test_the_runs_seed_moves_validation_and_the_split_seed_the_test_images() -> None:
    images = image_set([200, 200])

    def of(seed: int, **fields: object) -> dict[str, set[int]]:
        return {k: set(v.tolist()) for k, v in split(data(**fields), images, seed).items()}

    base = of(0)
    assert of(0) == base
    assert of(1)["test"] == base["test"]
    assert of(1)["validation"] != base["validation"]
    assert of(0, split_seed=1)["test"] != base["test"]
    assert of(1, train=0.5)["train"] != of(0, train=0.5)["train"]
    from_test = of(0, validation=0.5, validation_from="test")
    assert from_test == of(1, validation=0.5, validation_from="test")
    assert from_test["validation"] != of(0, validation=0.5, validation_from="test", split_seed=1)["validation"]


def test_the_runs_seed_draws_the_reduced_training_split_and_the_split_seed_does_not() -> None:
    one, other, same = (
        split(data(train=0.5, validation=0, split_seed=held), FASHION, seed)["train"].tolist()
        for seed, held in ((0, 0), (1, 0), (0, 1))
    )
    assert one == same
    assert one != other


def test_a_share_that_is_half_an_image_is_rounded_up() -> None:
    images = image_set([5, 5])
    assert [len(split(data(test=share, validation=0), images, seed=0)["test"]) for share in (0.24, 0.25, 0.34)] == [
        2,
        3,
        3,
    ]


def test_validation_is_the_same_whatever_is_held_out_elsewhere_in_the_recipe() -> None:
    one, two = (split(data(test=t), FASHION, seed=3) for t in (None, 0.5))
    np.testing.assert_array_equal(one["validation"], two["validation"])
    np.testing.assert_array_equal(one["train"], two["train"])


def test_smaller_amounts_are_subsets_of_larger_ones() -> None:
    small, large = (split(data(train=t, validation=0), FASHION, seed=0)["train"] for t in (0.1, 0.5))
    assert set(small.tolist()) < set(large.tolist())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"train": 70000}, r"data.train asks for 70,000 images and there are 60,000"),
        ({"test": 10001}, r"data.test asks for 10,001 images and there are 10,000"),
        ({"validation": 60001}, r"data.validation asks for 60,001 images and there are 60,000"),
        ({"validation": 10001, "validation_from": "test"}, r"asks for 10,001 images and there are 10,000"),
        ({"validation": 10000, "validation_from": "test"}, r"takes all 10,000 images; the test split would be empty"),
        ({"validation": 1.0}, r"takes all 60,000 images; the train split would be empty"),
        ({"validation": 60000}, r"takes all 60,000 images; the train split would be empty"),
        ({"test": 0}, r"data.test: 0 of 10,000 images is none; that split would be empty"),
        ({"train": 0}, r"data.train: 0 of 60,000 images is none"),
        ({"train": 0.000001}, r"data.train: 1e-06 of 60,000 images is none"),
        ({"validation": 9}, r"class 'c9' \(6,000 images\) without any in the validation split"),
        ({"train": 9}, r"class 'c9' \(6,000 images\) without any in the train split"),
        ({"validation": 59995}, r"class 'c0' \(6,000 images\), .* and 'c4' \(6,000 images\) without any in the train"),
    ],
)
def test_amounts_that_cannot_be(fields: dict[str, object], message: str) -> None:
    with pytest.raises(AssayError, match=message):
        split(data(**fields), FASHION, seed=0)


def test_a_source_whose_every_image_is_held_out() -> None:
    with pytest.raises(AssayError, match="the train split would be empty"):
        split(data(test=1.0), image_set([10, 10]), seed=0)


def test_a_class_without_training_images() -> None:
    with pytest.raises(AssayError, match="class 'c1' has no image in the training split"):
        split(data(), image_set([10, 0], [5, 5]), seed=0)


def test_a_test_split_of_its_own_may_lack_a_class() -> None:
    images = image_set([10, 10], [5, 0])
    assert counts(images, split(data(), images, seed=0)["test"]) == [5, 0]


Sizes = st.lists(st.integers(0, 60), min_size=1, max_size=8)


@given(Sizes, st.data())
def test_proportional_allotment_is_exact_and_within_one_of_the_quota(sizes: list[int], draw: st.DataObject) -> None:
    total = draw.draw(st.integers(0, sum(sizes)))
    there = np.array(sizes)
    taken = proportional_allotment(there, total)
    assert taken.sum() == total
    assert (taken >= 0).all()
    assert (taken <= there).all()
    if sum(sizes):
        assert (np.abs(taken - there * total / sum(sizes)) < 1).all()


@given(Sizes, st.data())
def test_even_allotment_is_exact_and_as_even_as_can_be(sizes: list[int], draw: st.DataObject) -> None:
    total = draw.draw(st.integers(0, sum(sizes)))
    there = np.array(sizes)
    taken = even_allotment(there, total)
    assert taken.sum() == total
    assert (taken <= there).all()
    assert (taken[taken < there] >= taken.max(initial=0) - 1).all()


def test_largest_remainders_by_hand() -> None:
    # quotas 4.7, 3.1, 2.2 of ten: wholes 4, 3, 2, and the one left over goes to the remainder .7
    assert proportional_allotment(np.array([47, 31, 22]), 10).tolist() == [5, 3, 2]


Amounts = st.one_of(st.floats(0.05, 0.95), st.integers(2, 200))


@settings(deadline=None, max_examples=400)
@given(
    st.lists(st.integers(8, 40), min_size=2, max_size=5),
    st.booleans(),
    Amounts,
    Amounts,
    st.one_of(st.none(), Amounts),
    st.sampled_from(["train", "test"]),
    st.integers(0, 5),
)
def test_splits_are_disjoint_sorted_and_complete_or_refused(
    sizes: list[int],
    own_test: bool,
    train: float,
    validation: float,
    test: float | None,
    source: str,
    seed: int,
) -> None:
    images = image_set(sizes, [s // 2 for s in sizes] if own_test else None)
    try:
        found = split(data(train=train, validation=validation, test=test, validation_from=source), images, seed)
    except AssayError:
        return  # more was asked for than there is
    every = np.concatenate(list(found.values()))
    assert len(set(every.tolist())) == len(every)
    for name, indices in found.items():
        assert indices.dtype == np.int64
        assert (np.diff(indices) > 0).all()
        assert all(c > 0 for c in counts(images, indices)), name
    if own_test:
        assert images.is_test[found["test"]].all()
        assert not images.is_test[found["train"]].any()
        assert (images.is_test[found["validation"]] == (source == "test")).all()


def of(targets: Targets, is_test: np.ndarray | None = None) -> ImageSet:
    n = len(targets)
    is_test = np.zeros(n, bool) if is_test is None else is_test
    return ImageSet(np.zeros((n, 1, 1, 1), np.uint8), targets, [str(i) for i in range(n)], is_test, [], [])


NUMBERS = Values(np.random.default_rng(0).permutation(np.arange(1000.0))[:, None], ("age",))


def with_validation(train: list[int], test: list[int], validation: int) -> ImageSet:
    """The last so many training images are the source's own validation split."""
    images = image_set(train, test)
    own = np.zeros(len(images), dtype=bool)
    own[np.flatnonzero(~images.is_test)[-validation:]] = True
    return replace(images, is_validation=own)


def test_a_validation_split_of_the_sources_own_validates_unless_an_amount_is_asked_for() -> None:
    images = with_validation([50, 50], [10, 10], 20)
    own = np.flatnonzero(images.is_validation)
    for seed in (0, 1):
        found = split(data(), images, seed)
        assert found["validation"].tolist() == own.tolist()
        assert (len(found["train"]), len(found["test"])) == (80, 20)
        assert not set(found["train"].tolist()) & set(own.tolist())
    assert split(data(train=0.5), images, 0)["validation"].tolist() == own.tolist()
    asked = split(data(validation=0.1), images, 0)
    assert {name: len(rows) for name, rows in asked.items()} == {"train": 90, "validation": 10, "test": 20}
    assert (
        asked["validation"].tolist()
        == split(data(validation=0.1), image_set([50, 50], [10, 10]), 0)["validation"].tolist()
    )
    assert len(split(data(validation=0), images, 0)["train"]) == 100
    assert images.is_test[split(data(validation_from="test"), images, 0)["validation"]].all()


def test_without_a_test_split_none_of_the_own_validation_images_is_held_out() -> None:
    images = with_validation([50, 50], [0, 0], 20)
    found = split(data(), images, 0)
    assert {name: len(rows) for name, rows in found.items()} == {"train": 64, "validation": 20, "test": 16}
    assert found["validation"].tolist() == np.flatnonzero(images.is_validation).tolist()


def test_copies_across_the_own_validation_split_are_refused() -> None:
    images = with_validation([50, 50], [10, 10], 20)
    held, trained = (
        np.flatnonzero(side)[0] for side in (images.is_validation, ~images.is_validation & ~images.is_test)
    )
    names = [f"p{i}_0" for i in range(len(images))]
    names[held] = names[trained].replace("_0", "_1")
    with pytest.raises(AssayError, match="copies of 1 originals on both sides"):
        split(data(group=r"(p\d+)_"), replace(images, names=names), 0)
    assert len(split(data(group=r"(p\d+)_", validation=0.1), replace(images, names=names), 0)["validation"])


def test_classes_too_small_for_the_splits_are_named_all_at_once() -> None:
    images = image_set([100, 1, 2, 1, 100])
    with pytest.raises(AssayError) as error:
        split(data(), images, seed=0)
    assert str(error.value) == (
        "data.test: 0.2 would leave class 'c1' (1 images) and 'c3' (1 images) without any in the test split; "
        "data.validation: 0.1 would leave class 'c2' (1 images) without any in the validation split"
    )


def test_numbers_are_split_alike_over_their_whole_range() -> None:
    found = split(data(test=0.2, validation=0.25, train=0.5), of(NUMBERS), seed=0)
    assert {name: len(rows) for name, rows in found.items()} == {"train": 300, "validation": 100, "test": 200}
    for rows in found.values():
        tenths = np.bincount((NUMBERS.values[rows, 0] // 100).astype(int), minlength=10)
        assert (tenths == len(rows) // 10).all()
    assert len(np.unique(np.concatenate(list(found.values())))) == 600


def test_rare_tags_and_boxes_are_in_every_split() -> None:
    rare = np.arange(200) % 20 == 3
    tags = Tags(np.column_stack([np.ones(200), rare]).astype(np.uint8))
    boxes = Boxes(np.zeros((10, 4), np.float32), np.full(10, 1), np.zeros(10, np.uint8), np.append(0, np.cumsum(rare)))
    for targets in (tags, boxes):
        found = split(data(test=0.2, validation=0.25), of(targets), seed=0)
        assert [int(rare[found[name]].sum()) for name in ("train", "validation", "test")] == [6, 2, 2]


def test_a_stratum_of_one_image_or_one_that_a_split_lacks_is_no_error() -> None:
    values = np.zeros((40, 3), np.uint8)
    values[0, 1] = values[1:3, 2] = 1
    found = split(data(test=0.1, validation=0.1), of(Tags(values)), seed=0)
    assert sorted(np.concatenate(list(found.values())).tolist()) == list(range(40))
    assert all(len(rows) for rows in found.values())
    few = split(data(train=2, validation=0), of(NUMBERS), seed=0)
    assert len(few["train"]) == 2


def test_a_number_of_images_keeps_the_mix_where_there_are_no_labels() -> None:
    values = np.zeros((100, 1), np.uint8)
    values[:10] = 1
    found = split(data(train=40, test=0.2, validation=0), of(Tags(values)), seed=0)
    assert values[found["train"]].sum() == 4


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"test": 1.0}, "takes all 1,000 images; the train split would be empty"),
        ({"validation": 0.0001}, "that split would be empty"),
        ({"balance": "oversample"}, "data.balance needs one label an image, and the images of the source have values"),
        (
            {"imbalance": {"a": 0.5}},
            "data.imbalance needs one label an image, and the images of the source have values",
        ),
    ],
)
def test_what_cannot_be_without_labels(fields: dict[str, object], message: str) -> None:
    with pytest.raises(AssayError, match=message):
        split(data(**fields), of(NUMBERS), seed=0)


def test_a_source_whose_every_image_is_a_test_image_of_its_own() -> None:
    with pytest.raises(AssayError, match="there is no image in the training split"):
        split(data(), of(NUMBERS, np.ones(1000, bool)), seed=0)
