"""Batches: every image once, normalised, seeded by name, and no trace left in the global generators."""

import weakref
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from assay.data import ImageData, ImageSet, load
from assay.data import batches as batching
from assay.data.batches import normalization
from assay.data.boxes import Boxes
from assay.data.features import FeatureData, Kept
from assay.data.gathering import LAG, until_read
from assay.data.targets import Labels, Masks, Tags, Values
from assay.errors import AssayError
from assay.recipe import AUGMENTATIONS, MIXES, Augmentation, Data


def image_set(n: int = 60, channels: int = 3) -> ImageSet:
    pixels = np.random.default_rng(0).integers(0, 256, (n, channels, 8, 8), dtype=np.uint8)
    return ImageSet(pixels, Labels(np.arange(n) % 2), [str(i) for i in range(n)], np.zeros(n, bool), ["a", "b"], [])


def image_data(augment: tuple[str, ...] = (), normalize: str = "standard", channels: int = 3) -> ImageData:
    images = image_set(channels=channels)
    indices = {"train": np.arange(10, 51), "validation": np.arange(10), "test": np.arange(51, 60)}
    mean, std = normalization(Data.model_validate({"source": "x", "normalize": normalize}), images, indices["train"])
    return ImageData(images, indices, mean, std, tuple(Augmentation.model_validate(a) for a in augment))


def epoch(data: ImageData, seed: int = 0, number: int = 1, size: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    batches = list(data.train_batches(size, seed, number, "cpu"))
    return torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])


@pytest.mark.parametrize("normalize", ["unit", "symmetric", "standard"])
def test_a_split_comes_in_the_order_of_its_indices(normalize: str) -> None:
    data = image_data(normalize=normalize)
    batches = list(data.batches("validation", 4, "cpu"))
    assert [len(y) for _, y in batches] == [4, 4, 2]
    x, y = torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])
    assert (x.dtype, y.dtype) == (torch.float32, torch.int64)
    mean, std = data.mean[:, None, None], data.std[:, None, None]
    np.testing.assert_allclose(x.numpy(), (data.images.pixels[:10] / 255 - mean) / std, atol=1e-5)
    np.testing.assert_array_equal(y.numpy(), data.images.labels[:10])


def test_an_empty_split_gives_no_batch() -> None:
    data = image_data()
    data.indices["validation"] = np.empty(0, np.int64)
    assert list(data.batches("validation", 4, "cpu")) == []


def test_standard_makes_the_training_images_mean_0_and_deviation_1() -> None:
    x, _ = epoch(image_data())
    np.testing.assert_allclose(x.mean((0, 2, 3)), [0, 0, 0], atol=1e-5)
    np.testing.assert_allclose(x.std((0, 2, 3), correction=0), [1, 1, 1], atol=1e-5)


def test_standard_agrees_with_numpy_in_double_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.data.batches._CHUNK_BYTES", 1000)
    images, train = image_set(), np.arange(3, 44, 2)
    mean, std = normalization(Data(source="x"), images, train)
    values = images.pixels[train].astype(np.float64) / 255
    np.testing.assert_allclose(mean, values.mean((0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(std, values.std((0, 2, 3)), rtol=1e-6)


def test_ranges_of_unit_and_symmetric() -> None:
    pixels = np.array([0, 255], np.uint8).reshape(2, 1, 1, 1)
    images = ImageSet(pixels, Labels(np.arange(2)), ["0", "1"], np.zeros(2, bool), ["a", "b"], [])
    for normalize, expected in (("unit", [0.0, 1.0]), ("symmetric", [-1.0, 1.0])):
        mean, std = normalization(Data.model_validate({"source": "x", "normalize": normalize}), images, np.arange(2))
        data = ImageData(images, {"test": np.arange(2)}, mean, std)
        ((x, _),) = data.batches("test", 2, "cpu")
        assert x.ravel().tolist() == expected


def test_a_constant_channel_is_finite() -> None:
    images = image_set()
    images.pixels[:, 1] = 200
    mean, std = normalization(Data(source="x"), images, np.arange(60))
    ((x, _),) = ImageData(images, {"test": np.arange(60)}, mean, std).batches("test", 60, "cpu")
    assert x.isfinite().all()
    assert x[:, 1].abs().max() < 1e-5


def test_an_epoch_holds_every_training_image_once_with_its_label() -> None:
    data = image_data(normalize="unit")
    batches = list(data.train_batches(16, 0, 1, "cpu"))
    assert [len(y) for _, y in batches] == [16, 16, 9]
    x, y = epoch(data)
    found = {row.tobytes(): int(label) for row, label in zip((x * 255).round().byte().numpy(), y, strict=True)}
    expected = {data.images.pixels[i].tobytes(): int(data.images.labels[i]) for i in data.indices["train"]}
    assert found == expected


def test_batches_made_several_at_a_time_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    together = list(image_data().train_batches(4, 0, 1, "cpu"))
    monkeypatch.setattr(batching, "_BLOCK_BYTES", 0)
    for (x, y), (one_x, one_y) in zip(together, image_data().train_batches(4, 0, 1, "cpu"), strict=True):
        assert torch.equal(x, one_x)
        assert torch.equal(y, one_y)


def test_a_single_image_left_over_joins_the_last_batch() -> None:
    assert [len(y) for _, y in image_data().train_batches(20, 0, 1, "cpu")] == [20, 21]
    assert [len(y) for _, y in image_data().train_batches(1, 0, 1, "cpu")] == [1] * 41


@pytest.mark.parametrize("augment", [(), ("horizontal_flip", "rotation")])
def test_an_epoch_is_a_function_of_seed_and_number(augment: tuple[str, ...]) -> None:
    data = image_data(augment)
    first, labels = epoch(data)
    torch.manual_seed(99)
    again, labels_again = epoch(data)
    assert torch.equal(first, again)
    assert torch.equal(labels, labels_again)
    assert not torch.equal(first, epoch(data, number=2)[0])
    assert not torch.equal(first, epoch(data, seed=1)[0])


def test_every_batch_draws_its_own_augmentation() -> None:
    data = image_data(("rotation",))
    data.images.pixels[:] = data.images.pixels[0]
    batches = [x for x, _ in data.train_batches(10, 0, 1, "cpu")]
    assert [len(x) for x in batches] == [10, 10, 10, 11]
    assert len({x[:10].numpy().tobytes() for x in batches}) == 4


def test_augmentation_does_not_change_the_order() -> None:
    assert torch.equal(epoch(image_data())[1], epoch(image_data(("rotation",)))[1])


def test_augmentation_leaves_the_global_generator_alone_between_batches() -> None:
    data = image_data(tuple(AUGMENTATIONS))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    drawn = [torch.rand(1) for _ in data.train_batches(16, 0, 1, "cpu")]
    assert torch.equal(torch.cat(drawn), expected)


def test_draws_between_batches_do_not_change_the_batches() -> None:
    data = image_data(tuple(name for name in AUGMENTATIONS if name not in MIXES))
    quiet, _ = epoch(data)
    torch.manual_seed(1)
    noisy = torch.cat([(x, torch.rand(7))[0] for x, _ in data.train_batches(16, 0, 1, "cpu")])
    assert torch.equal(quiet, noisy)


def test_only_training_batches_are_augmented() -> None:
    for plain, augmented in zip(
        image_data().batches("test", 4, "cpu"), image_data(("rotation",)).batches("test", 4, "cpu"), strict=True
    ):
        assert torch.equal(plain[0], augmented[0])


def test_augmented_images_are_normalised_afterwards() -> None:
    plain, augmented = image_data(), image_data(({"horizontal_flip": 1.0},))  # type: ignore[arg-type]
    torch.testing.assert_close(epoch(plain)[0].flip(3), epoch(augmented)[0], atol=1e-5, rtol=1e-5)


def test_batches_may_be_changed_without_changing_the_images() -> None:
    data = image_data()
    before = data.images.pixels.copy()
    for x, y in data.batches("test", 4, "cpu"):
        x.zero_()
        y.zero_()
    np.testing.assert_array_equal(before, data.images.pixels)
    assert data.images.labels.max() == 1


def test_a_mapped_source_gives_batches_without_a_warning(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    data = load(Data(source="digits", augment=("crop",)), seed=0, root=tmp_path)
    assert isinstance(data.images.pixels, np.memmap)
    x, _ = next(data.train_batches(32, 0, 1, "cpu"))
    assert x.shape == (32, 1, 8, 8)
    assert data.shape == (1, 8, 8)
    assert len(data.classes) == 10
    assert not [w for w in recwarn if "writable" in str(w.message)]


def test_what_is_wrong_with_an_augmentation_is_told_when_the_data_are_loaded(tmp_path: Path) -> None:
    with pytest.raises(AssayError, match=r"crop: 2\.5 is not a whole number of pixels"):
        load(Data.model_validate({"source": "digits", "augment": [{"crop": 2.5}]}), seed=0, root=tmp_path)


def of_kind(kind: str) -> ImageData:
    data, n = image_data(), 60
    number = np.arange(n)
    targets = {
        "values": Values(number[:, None] / 2, ("half",)),
        "tags": Tags((number[:, None] >> np.arange(6) & 1).astype(np.uint8)),
        "boxes": Boxes(np.repeat(number, number % 4)[:, None].repeat(4, 1).astype(np.float32),
                       np.repeat(number, number % 4), np.zeros((number % 4).sum(), np.uint8),
                       np.append(0, np.cumsum(number % 4))),
        "masks": Masks(number[:, None, None].repeat(8, 1).repeat(8, 2).astype(np.uint8)),
    }[kind]  # fmt: skip
    return replace(data, images=replace(data.images, targets=targets))


@pytest.mark.parametrize("kind", ["values", "tags", "boxes", "masks"])
def test_targets_of_every_kind_come_with_their_images(kind: str) -> None:
    data = of_kind(kind)
    epochs = {"train": data.train_batches(4, 0, 1, "cpu"), "test": data.batches("test", 4, "cpu")}
    rows = {"train": data.order(0, 1), "test": torch.from_numpy(data.indices["test"])}
    for split, batches in epochs.items():
        whole = torch.cat([x for x, _ in image_data().batches("test", 4, "cpu")])
        start = 0
        for x, y in batches:
            here = rows[split][start : start + len(x)]
            expected = data.images.targets.take(here)
            for part in ("edges", "labels") if kind == "boxes" else ("data",):
                assert torch.equal(getattr(y, part), getattr(expected, part))
            if split == "test":
                assert torch.equal(x, whole[start : start + len(x)])
            start += len(x)
        assert start == len(rows[split])


def test_an_epoch_without_labels_is_all_training_images_and_has_no_class_counts() -> None:
    data = of_kind("values")
    assert data.epoch_size == 41
    with pytest.raises(AssayError, match=r"a count of the classes needs one label an image, and .* have values"):
        _ = data.class_counts


@pytest.mark.parametrize("kind", ["values", "boxes"])
def test_features_come_with_the_targets_of_their_images(kind: str) -> None:
    data = of_kind(kind)
    given = {name: getattr(data, name) for name in ("images", "indices", "mean", "std")}
    kept = Kept(np.arange(60), np.arange(60, dtype=np.float32)[:, None])
    seen = FeatureData(**given, plain={"train": kept, "test": kept})
    for (x, y), (_, expected) in zip(
        seen.train_batches(8, 0, 1, "cpu"), data.train_batches(8, 0, 1, "cpu"), strict=True
    ):
        for part in ("edges", "labels") if kind == "boxes" else ("data",):
            assert torch.equal(getattr(y, part), getattr(expected, part))
        assert x.shape == (len(y), 1)


def test_images_are_not_overwritten_while_the_card_has_yet_to_read_them(
    monkeypatch: pytest.MonkeyPatch, device: torch.device
) -> None:
    monkeypatch.setattr("assay.data.gathering.RESIDENT_SHARE", 0.0)
    monkeypatch.setattr(batching, "_CARD_BLOCK_BYTES", 0)
    data, found = image_data(), []
    for images, labels in data.train_batches(4, 0, 1, device):
        if device.type == "cuda":
            torch.cuda._sleep(20_000_000)  # a card that lags behind
        found.append((images.clone(), labels.clone()))
    for (x, y), (x2, y2) in zip(data.train_batches(4, 0, 1, "cpu"), found, strict=True):
        torch.testing.assert_close(x, x2.cpu())
        assert torch.equal(y, y2.cpu())


class Clock:
    """A card on which nothing is done before somebody waits for it; ``done`` is how many of its events are over."""

    def __init__(self) -> None:
        self.asked, self.done = 0, 0

    def record_event(self) -> SimpleNamespace:
        self.asked += 1
        return SimpleNamespace(synchronize=partial(setattr, self, "done", self.asked))

    def synchronize(self) -> None:
        self.done = self.asked


class Held:
    """Stands for the memory of a block."""


def test_a_block_is_kept_until_the_card_has_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, given = Clock(), list[weakref.ref[Held]]()
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: clock)

    def blocks() -> Iterator[Any]:
        for _ in range(9):
            assert all(block() is not None for block in given[clock.done :]), "given back before it was read"
            made = Held()
            given.append(weakref.ref(made))
            yield made, None
            del made

    for number, _ in enumerate(until_read(blocks(), torch.device("cuda", 0))):
        assert number - clock.done <= LAG + 1
    assert clock.done == 9
    assert not any(block() for block in given[: 9 - LAG - 1])


@pytest.mark.parametrize("resident", [True, False])
def test_batches_are_the_same_on_every_device(
    monkeypatch: pytest.MonkeyPatch, resident: bool, device: torch.device
) -> None:
    if not resident:
        monkeypatch.setattr("assay.data.gathering.RESIDENT_SHARE", 0.0)
    augment = tuple(name for name in AUGMENTATIONS if name not in MIXES)
    on_cpu, on_gpu = (list(image_data(augment).train_batches(16, 0, 1, where)) for where in ("cpu", device))
    for (x, y), (x2, y2) in zip(on_cpu, on_gpu, strict=True):
        torch.testing.assert_close(x, x2.cpu(), rtol=1e-4, atol=2e-4)
        assert torch.equal(y, y2.cpu())
