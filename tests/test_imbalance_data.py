"""Classes of unequal size: thinned on purpose, and evened out epoch by epoch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.data import ImageData, ImageSet, load, split
from assay.data.batches import batch_sizes
from assay.data.imbalance import balanced, epoch_size
from assay.data.targets import Labels
from assay.errors import AssayError
from assay.models import build
from assay.recipe import Cosine, Data, Recipe
from assay.recipe.study import Study
from assay.recipe.validation import validate
from assay.seeds import scoped
from assay.train.checkpoint import State, pack, unpack
from assay.train.loop import fit
from assay.train.schedules import rate_factor

CLASSES = ["cat", "dog", "owl"]


def image_set(train: list[int], test: list[int] | None = None, copies: int = 1) -> ImageSet:
    """So many images of each class; ``copies`` that follow one another are of one original."""
    sizes = [(k, n, False) for k, n in enumerate(train)] + [(k, n, True) for k, n in enumerate(test or [])]
    labels = np.concatenate([np.full(n, k) for k, n, _ in sizes]).astype(np.int64)
    is_test = np.concatenate([np.full(n, t) for _, n, t in sizes])
    names = [f"o{i // copies}_{i % copies}.png" for i in range(len(labels))]
    pixels = np.zeros((len(labels), 1, 1, 1), np.uint8)
    return ImageSet(pixels, Labels(labels), names, is_test, CLASSES[: len(train)], [])


def data(**fields: Any) -> Data:
    return Data.model_validate({"source": "x", **fields})


def counts(images: ImageSet, indices: np.ndarray) -> list[int]:
    return np.bincount(images.labels[indices], minlength=len(images.classes)).tolist()


IMAGES = image_set([100, 100, 100], [20, 20, 20])


def test_thinning_leaves_the_test_images_and_gives_validation_the_thinned_mix() -> None:
    found = split(data(imbalance={"cat": 0.1, "owl": 0.5}, validation=0.2), IMAGES, seed=0)
    assert counts(IMAGES, found["train"]) == [8, 80, 40]
    assert counts(IMAGES, found["validation"]) == [2, 20, 10]
    assert counts(IMAGES, found["test"]) == [20, 20, 20]


def test_validation_from_the_test_split_has_the_natural_mix() -> None:
    found = split(data(imbalance={"cat": 0.1}, validation=0.5, validation_from="test"), IMAGES, seed=0)
    assert counts(IMAGES, found["train"]) == [10, 100, 100]
    assert counts(IMAGES, found["validation"]) == [10, 10, 10]


def test_thinning_follows_the_reduction_of_the_training_split() -> None:
    found = split(data(train=150, imbalance={"dog": 0.1}, validation=0), IMAGES, seed=0)
    assert counts(IMAGES, found["train"]) == [50, 5, 50]


def test_a_smaller_share_is_a_subset_and_classes_do_not_meddle() -> None:
    def kept(**shares: float) -> set[int]:
        return set(split(data(imbalance=shares, validation=0), IMAGES, seed=3)["train"].tolist())

    assert kept(cat=0.1) < kept(cat=0.3) < kept(cat=1.0)
    assert kept(cat=0.1, dog=0.2) == kept(cat=0.1) & kept(dog=0.2)
    assert kept(cat=0.3) == kept(cat=0.3)


def test_each_class_is_thinned_by_a_draw_of_its_own() -> None:
    found = split(data(imbalance=dict.fromkeys(CLASSES, 0.2), validation=0), IMAGES, seed=0)["train"]
    cat, dog, owl = (set((found[IMAGES.labels[found] == k] % 100).tolist()) for k in range(3))
    assert len({*map(frozenset, (cat, dog, owl))}) == 3


def test_the_runs_seed_draws_and_the_split_seed_does_not() -> None:
    one, other = (split(data(imbalance={"cat": 0.2}, validation=0), IMAGES, seed)["train"] for seed in (0, 1))
    assert set(one.tolist()) != set(other.tolist())
    again = split(data(imbalance={"cat": 0.2}, validation=0, split_seed=9), IMAGES, 0)["train"]
    np.testing.assert_array_equal(one, again)


def test_whole_originals_are_kept_or_dropped() -> None:
    images = image_set([100, 100], copies=5)
    fields = {"group": r"o(\d+)_", "validation": 0, "test": 0.2}
    whole = split(data(**fields), images, seed=0)
    found = split(data(**fields, imbalance={"cat": 0.25}), images, seed=0)
    np.testing.assert_array_equal(found["test"], whole["test"])
    assert counts(images, whole["train"]) == [80, 80]
    assert counts(images, found["train"]) == [20, 80]
    originals = {images.names[i].split("_")[0] for i in found["train"] if images.labels[i] == 0}
    assert len(originals) == 4


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0.05, 1.0), min_size=3, max_size=3), st.integers(1, 7), st.integers(0, 5))
def test_what_is_kept_is_within_an_original_of_the_share(shares: list[float], copies: int, seed: int) -> None:
    images = image_set([42, 21, 42], copies=copies)
    fields = {"validation": 0, "test": 0.2, "group": r"o(\d+)_"}
    whole = counts(images, split(data(**fields), images, seed)["train"])
    found = split(data(**fields, imbalance=dict(zip(CLASSES, shares, strict=True))), images, seed)
    for share, before, after in zip(shares, whole, counts(images, found["train"]), strict=True):
        assert after >= 1
        assert abs(after - share * before) <= copies


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"cta": 0.1}, r"data.imbalance: unknown class 'cta'; did you mean 'cat'\?"),
        ({"cat": 0.001}, r"0.001 of the 100 training images of class 'cat' is none; a share of 0.01 leaves one"),
    ],
)
def test_what_cannot_be_thinned(shares: dict[str, float], message: str) -> None:
    with pytest.raises(AssayError, match=message):
        split(data(imbalance=shares), IMAGES, seed=0)


@pytest.mark.parametrize("shares", [0.1, [0.1], {"cat": 0}, {"cat": 1.5}, {"cat": True}, {"cat": "x"}])
def test_what_is_no_share(shares: Any) -> None:
    sentence = r"imbalance: found .*, expected names of classes.*, as \{.*: 0\.1\}"
    with pytest.raises(AssayError, match=sentence):
        validate(Data, {"source": "x", "imbalance": shares}, "file")


def test_a_recipe_that_does_not_thin_keeps_its_dump() -> None:
    assert "imbalance" not in data().model_dump(mode="json")
    assert data(imbalance={}) == data(imbalance=None) == data()
    thin = data(imbalance={"dog": 0.1, "cat": 1})
    assert thin.model_dump(mode="json")["imbalance"] == {"cat": 1.0, "dog": 0.1}
    assert Data.model_validate(thin.model_dump(mode="json")) == thin == data(imbalance={"cat": 1, "dog": 0.1})
    assert hash(thin) != hash(data())


def test_a_share_can_be_a_factor_whole_or_for_one_class() -> None:
    base = {"data": {"source": "digits"}, "model": {"name": "mlp"}}
    whole = Study(title="t", name="s", base=base, vary={"data.imbalance": [None, {3: 0.1}, {3: 0.1, 5: 0.2}]})
    assert list(whole.plan) == ["imbalance=none", "imbalance=3=0.1", "imbalance=3=0.1,5=0.2"]
    single = Study(title="t", name="s", base=base, vary={"data.imbalance.3": [1.0, 0.1]})
    assert [v.recipe.data.imbalance for v in single.plan.values()] == [(("3", 1.0),), (("3", 0.1),)]
    dotted = Study(title="t", name="s", base=base, vary={"data.imbalance.001.Albatross": [1.0, 0.1]})
    assert [v.recipe.data.imbalance for v in dotted.plan.values()] == [
        (("001.Albatross", 1.0),),
        (("001.Albatross", 0.1),),
    ]


# ---------------------------------------------------------------------------------------------- balance

LABELS = np.repeat([0, 1, 2], [4, 10, 23]).astype(np.int64)
TRAIN = np.arange(37)


def per_class(balance: Any, epoch: int, seed: int = 0) -> list[np.ndarray]:
    drawn = balanced(TRAIN, LABELS, balance, seed, epoch)
    assert len(drawn) == epoch_size(np.bincount(LABELS), balance)
    return [drawn[LABELS[drawn] == k] for k in range(3)]


def test_without_balance_the_training_images_are_what_they_are() -> None:
    assert balanced(TRAIN, LABELS, "none", 0, 1) is TRAIN
    assert epoch_size(np.bincount(LABELS), "none") == 37


def test_oversampling_repeats_smaller_classes_as_evenly_as_can_be() -> None:
    small, middle, large = per_class("oversample", 1)
    assert [len(part) for part in (small, middle, large)] == [23, 23, 23]
    assert sorted(np.unique(small, return_counts=True)[1].tolist()) == [5, 6, 6, 6]
    assert set(np.unique(middle, return_counts=True)[1].tolist()) == {2, 3}
    assert np.sort(large).tolist() == list(range(14, 37))


def test_undersampling_shows_every_image_within_the_epochs_it_takes() -> None:
    epochs = [per_class("undersample", epoch) for epoch in range(1, 13)]
    for parts in epochs:
        assert [len(part) for part in parts] == [4, 4, 4]
        assert [len(np.unique(part)) for part in parts] == [4, 4, 4]
    for k, needed in ((1, 3), (2, 6)):
        for first in range(0, 12, needed):
            seen = np.concatenate([parts[k] for parts in epochs[first : first + needed]])
            assert set(seen.tolist()) == set(TRAIN[np.equal(LABELS, k)].tolist())


def test_when_a_class_is_used_up_another_permutation_of_it_begins() -> None:
    epochs = [per_class("undersample", epoch)[2] for epoch in range(1, 13)]
    first, second = np.concatenate(epochs[:6]), np.concatenate(epochs[6:])
    assert set(first.tolist()) == set(second.tolist())
    assert first.tolist() != second.tolist()


def test_a_class_without_training_images_counts_for_nothing() -> None:
    there = LABELS != 1
    assert epoch_size(np.array([4, 0, 23]), "undersample") == 8
    drawn = balanced(TRAIN[there], LABELS, "undersample", 0, 1)
    assert np.bincount(LABELS[drawn]).tolist() == [4, 0, 4]


@pytest.mark.parametrize("balance", ["oversample", "undersample"])
def test_what_an_epoch_draws_is_a_function_of_seed_and_epoch(balance: Any) -> None:
    first = balanced(TRAIN, LABELS, balance, 0, 1)
    np.testing.assert_array_equal(first, balanced(TRAIN, LABELS, balance, 0, 1))
    assert not np.array_equal(first, balanced(TRAIN, LABELS, balance, 0, 2))
    assert not np.array_equal(first, balanced(TRAIN, LABELS, balance, 1, 1))


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.sampled_from(["oversample", "undersample"]))
def test_every_class_gets_the_same_number(sizes: list[int], balance: Any) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    each = max(sizes) if balance == "oversample" else min(sizes)
    for epoch in (1, 2, 50):
        drawn = balanced(np.arange(len(labels)), labels, balance, 0, epoch)
        assert np.bincount(labels[drawn]).tolist() == [each] * len(sizes)


# --------------------------------------------------------------------------------------------- training


def recipe(**fields: Any) -> Recipe:
    thin = {"3": 0.1, "8": 0.3}
    train = {"epochs": 3, "batch_size": 32, "schedule": "cosine"}
    own = {"source": "digits", "train": 500, "validation": 0.2, "imbalance": thin, **fields}
    return Recipe.model_validate({"data": own, "model": {"name": "mlp", "hidden": [16]}, "train": train})


def train(recipe: Recipe, state: State | None = None) -> tuple[ImageData, list[State]]:
    images, states = load(recipe.data, 0, Path()), []
    with scoped(0, "initialisation"):
        model = build(recipe.model, images.shape, 10)
    fit(model, images, recipe, torch.device("cpu"), state or State(), lambda state: states.append(unpack(pack(state))))
    return images, states


@pytest.mark.parametrize("balance", ["none", "oversample", "undersample"])
def test_the_history_counts_the_images_that_were_seen(balance: str) -> None:
    images, states = train(recipe(balance=balance))
    counts = images.class_counts
    assert (counts.min(), counts.max()) == (4, 40)
    size = {"none": int(counts.sum()), "oversample": 400, "undersample": 40}[balance]
    assert images.epoch_size == sum(len(y) for _, y in images.train_batches(32, 0, 1, "cpu")) == size
    for row in states[-1].history:
        right = row["train_accuracy"] * size
        assert right == pytest.approx(round(right), abs=1e-6)
        assert 0 < row["train_accuracy"] <= 1
    steps = len(batch_sizes(size, 32))
    expected = 0.001 * rate_factor(Cosine(), 3 * steps - 1, steps, 3, [])
    assert states[-1].history[-1]["lr"] == pytest.approx(expected)


@pytest.mark.parametrize("balance", ["oversample", "undersample"])
def test_a_balanced_training_goes_on_bit_for_bit(balance: str) -> None:
    _, whole = train(recipe(balance=balance))
    _, rest = train(recipe(balance=balance), whole[0])
    for name, weights in whole[-1].model.items():
        assert torch.equal(weights, rest[-1].model[name]), name


def test_a_recipe_that_does_not_balance_keeps_its_dump() -> None:
    assert "balance" not in data().model_dump(mode="json")
    assert data(balance="none") == data()
    assert data(balance="oversample").model_dump(mode="json")["balance"] == "oversample"
    with pytest.raises(AssayError, match=r"balance: found 'oversampel'; did you mean 'oversample'"):
        validate(Data, {"source": "x", "balance": "oversampel"}, "file")
