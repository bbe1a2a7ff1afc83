"""A device has one name, and the memory of a card is shared among the processes on it."""

import warnings

import pytest
import torch

from assay.data.batches import pass_size
from assay.data.staging import ahead
from assay.errors import AssayError, DeviceWarning, RunFailed
from assay.system.machine import cards, device_here, free_memory, placed, refuse_full, resolve_device, share_memory

CARD = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA card here")


def test_a_device_has_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 2)
    assert placed("cpu") == placed(torch.device("cpu", 0)) == torch.device("cpu")
    assert placed("cuda") == torch.device("cuda", 2)
    assert placed("cuda:1") == torch.device("cuda", 1)
    assert placed("mps") == torch.device("mps", 0)


@pytest.mark.parametrize(
    ("workers", "cards", "chosen", "share"),
    [(1, 1, False, 1.0), (3, 1, False, 0.3), (3, 2, False, 0.45), (2, 2, True, 0.45)],
)
def test_workers_share_a_cards_memory(
    monkeypatch: pytest.MonkeyPatch, workers: int, cards: int, chosen: bool, share: float
) -> None:
    told = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda *found: told.append(found))
    device = torch.device("cuda", 0)
    share_memory(device, workers, chosen)
    assert told == [(pytest.approx(share), device)]
    share_memory(torch.device("cpu"), workers, chosen)
    assert len(told) == 1


@CARD
def test_a_share_of_a_card_is_all_that_is_free_for_a_process(device: torch.device) -> None:
    device = placed(device)
    whole = free_memory(device)
    try:
        share_memory(device, 4, chosen=True)
        total = torch.cuda.get_device_properties(device).total_memory
        assert free_memory(device) <= 0.9 / 4 * total < whole
        with pytest.raises(torch.OutOfMemoryError):
            torch.empty(int(0.3 * total), dtype=torch.uint8, device=device)
    finally:
        share_memory(device, 1, chosen=True)


OLD = "The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver.\nMore words"


@pytest.fixture
def on_cards(monkeypatch: pytest.MonkeyPatch):
    """A machine with so many cards, or with a driver that torch refuses with an error."""

    def has(count: int, refusal: Exception | None = None) -> None:
        def begin() -> None:
            if refusal:
                raise refusal

        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "init", begin)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)

    return has


@pytest.mark.parametrize(
    ("count", "name", "refusal", "sentence"),
    [
        (1, "cuda:3", None, "train.device: cuda:3: this machine has 1, counted from 0"),
        (
            0,
            "cuda:3",
            AssertionError("Torch not compiled with CUDA enabled"),
            "train.device: cuda:3: this machine has none for torch (Torch not compiled with CUDA enabled); "
            "expected auto or cpu",
        ),
        (
            0,
            "cuda",
            RuntimeError(OLD),
            "train.device: cuda: this machine has none for torch (The NVIDIA driver on your system is too old (found "
            "version 11040)); expected auto or cpu",
        ),
        (1, "mps", None, "train.device: mps: this machine has none; expected auto or cpu"),
    ],
)
def test_a_device_that_is_not_there_is_one_sentence(
    on_cards, count: int, name: str, refusal: Exception | None, sentence: str
) -> None:
    on_cards(count, refusal)
    with pytest.raises(AssayError) as told:
        resolve_device(name)
    assert str(told.value) == sentence


def test_a_driver_that_torch_refuses_leaves_the_processor_and_is_told(on_cards, monkeypatch) -> None:
    on_cards(0)

    def refuse() -> bool:
        warnings.warn(f"CUDA initialization: {OLD}", UserWarning, stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", refuse)
    with pytest.warns(DeviceWarning) as told:
        assert resolve_device("auto") == torch.device("cpu")
    assert [str(each.message) for each in told] == [
        "no CUDA card can be used: CUDA initialization: The NVIDIA driver on your system is too old (found version "
        "11040)"
    ]


def test_a_finished_run_is_asked_on_any_machine(on_cards) -> None:
    on_cards(2)
    assert device_here("cuda:1") == torch.device("cuda", 1)
    on_cards(0)
    assert device_here("cpu") == device_here("auto") == torch.device("cpu")
    with pytest.warns(DeviceWarning, match="cuda:1: this machine lacks it, and the run is asked on cpu$"):
        assert device_here("cuda:1") == torch.device("cpu")


def test_cards_that_serve_are_counted_once(on_cards) -> None:
    on_cards(3)
    assert cards(["cpu"]) == 0
    assert cards(["auto", "cuda", "cuda:1"]) == 3
    assert cards(["cuda:1", "cpu", "cuda:2"]) == 2


def memory(monkeypatch: pytest.MonkeyPatch, free: int, kept: int = 0, taken: int = 0) -> None:
    """A card of 80 GB with so many bytes free, so many that torch keeps, of which so many are taken."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 80 * 10**9))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: kept)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: taken)
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", lambda device: 1.0)


def test_what_torch_keeps_for_a_process_is_free_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    memory(monkeypatch, free=10**9, kept=30 * 10**9, taken=5 * 10**9)
    assert free_memory(torch.device("cuda", 0)) == 26 * 10**9


def test_a_card_that_others_fill_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    card = torch.device("cuda", 1)
    memory(monkeypatch, free=12 * 10**6)
    with pytest.raises(RunFailed, match=r"^cuda:1 has 12 MB of free memory, expected 268 MB; "):
        refuse_full(card)
    memory(monkeypatch, free=10**9)
    refuse_full(card)

    def full(device: torch.device) -> None:
        raise RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported")

    monkeypatch.setattr(torch.cuda, "mem_get_info", full)
    with pytest.raises(RunFailed, match=r"^cuda:1 cannot be used: CUDA error: out of memory$"):
        refuse_full(card)
    refuse_full(torch.device("cpu"))


def test_blocks_made_ahead_come_in_order_and_whole() -> None:
    assert list(ahead(iter(range(50)))) == list(range(50))
    assert list(ahead(iter(()))) == []


def test_what_fails_ahead_is_raised_where_blocks_are_used() -> None:
    def failing():
        yield 1
        raise ValueError("a damaged file")

    blocks = ahead(failing())
    assert next(blocks) == 1
    with pytest.raises(ValueError, match="a damaged file"):
        next(blocks)


def test_blocks_that_nobody_asks_for_are_not_made() -> None:
    made = []

    def endless():
        number = 0
        while True:
            made.append(number)
            yield number
            number += 1

    blocks = ahead(endless())
    next(blocks)
    blocks.close()
    count = len(made)
    assert count <= 5
    assert len(made) == count


def test_a_pass_is_as_large_as_a_cards_free_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    card = torch.device("cuda", 0)
    assert [pass_size(side, side) for side in (8, 32, 224, 4096)] == [512, 512, 83, 1]
    memory(monkeypatch, free=80 * 10**9)
    assert [pass_size(side, side, card) for side in (32, 224)] == [4096, 256]
    memory(monkeypatch, free=70 * 10**9)
    assert pass_size(224, 224, card) == 256, "a little less changes nothing"
    memory(monkeypatch, free=10**9)
    assert [pass_size(side, side, card) for side in (32, 224, 4096)] == [128, 4, 1]
