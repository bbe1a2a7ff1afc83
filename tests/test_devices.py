"""A device has one name, and the memory of a card is shared among the processes on it."""

import pytest
import torch

from assay.data.staging import ahead
from assay.system.machine import free_memory, placed, share_memory

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
