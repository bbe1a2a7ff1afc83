"""Selective search: what it finds, and that each picture is searched once."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from assay.data import proposals as module
from assay.data.proposals import kept, proposals, searched
from assay.errors import AssayError
from assay.recipe import Proposals

pytest.importorskip("cv2.ximgproc", reason="OpenCV's contributions are not installed")
HEIGHT, WIDTH = 60, 90
RED, GREEN = [10, 12, 40, 48], [55, 20, 80, 42]
"""x1, y1, x2, y2."""


def picture(seed: int = 0) -> np.ndarray:
    """A red and a green rectangle on gray, with a little noise."""
    pixels = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    for (x1, y1, x2, y2), colour in ((RED, (220, 30, 30)), (GREEN, (30, 200, 60))):
        pixels[y1:y2, x1:x2] = colour
    return pixels + np.random.default_rng(seed).integers(0, 6, pixels.shape, np.uint8)


def shown(*pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each picture that is searched."""
    done: list[int] = []

    def counted(pixels: np.ndarray, how: Proposals) -> np.ndarray:
        done.append(len(done))
        return searched(pixels, how)

    monkeypatch.setattr(module, "searched", counted)
    return done


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("gray", [False, True])
def test_the_regions_hold_what_stands_out_in_the_pictures_own_pixels(scale: float, gray: bool) -> None:
    pixels = picture()
    found = searched(pixels.mean(axis=2, keepdims=True).astype(np.uint8) if gray else pixels, Proposals(scale=scale))
    overlap = box_iou(torch.tensor([RED, GREEN], dtype=torch.float32), torch.from_numpy(found)).amax(dim=1)
    assert overlap.min() > 0.75
    assert found[:, :2].min() >= 0
    assert (found[:, 2:] <= [WIDTH, HEIGHT]).all()


def test_every_call_gives_the_same_regions_in_the_same_order() -> None:
    once, again = (searched(picture(), Proposals()) for _ in range(2))
    assert np.array_equal(once, again)
    assert np.array_equal(once, np.array(sorted(map(tuple, once)), np.float32))


def test_a_picture_is_searched_once_for_each_way(searches: list[int]) -> None:
    first = proposals(shown(picture(0), picture(1)), Proposals())
    assert torch.equal(proposals(shown(picture(1), picture(0)), Proposals()), first.flip(0))
    assert len(searches) == 2
    proposals(shown(picture(0)), Proposals(scale=0.5))
    proposals(shown(picture(0)), Proposals(mode="single"))
    assert len(searches) == 4


def test_a_picture_with_fewer_regions_is_filled_up_with_zeros() -> None:
    found = proposals(shown(picture()), Proposals(most=500))
    there = (found[0] != 0).any(dim=1)
    assert found.shape == (1, 500, 4)
    assert there[: int(there.sum())].all()
    assert torch.equal(found[0][there], torch.from_numpy(searched(picture(), Proposals())))


def test_which_of_too_many_are_drawn_depends_on_the_picture_alone(searches: list[int]) -> None:
    every = searched(picture(), Proposals())
    few = proposals(shown(picture(1), picture(0)), Proposals(most=7))[1].numpy()
    assert len(every) > 7
    assert {tuple(region) for region in few} < {tuple(region) for region in every}
    assert np.array_equal(few, kept(picture(), Proposals(most=7)))
    assert not np.array_equal(few, every[:7])
    assert np.array_equal(kept(picture(), Proposals()), every)
    assert len(searches) == 2


def test_a_search_that_is_killed_between_two_pictures_goes_on_where_it_was(
    own_cache: Path, searches: list[int]
) -> None:
    program = textwrap.dedent(f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import torch
        torch.set_num_threads(1)
        from assay.data import proposals as module
        from test_proposals import picture, shown
        from assay.recipe import Proposals
        search, done = module.searched, []
        def killed_at_the_third(pixels, how):
            if len(done) == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            done.append(pixels)
            return search(pixels, how)
        module.searched = killed_at_the_third
        module.proposals(shown(*map(picture, range(4))), Proposals())
    """)
    ended = subprocess.run([sys.executable, "-c", program], env=os.environ | {"ASSAY_CACHE": str(own_cache)})
    assert ended.returncode == -signal.SIGKILL
    found = proposals(shown(*map(picture, range(4))), Proposals())
    assert len(searches) == 2
    assert torch.equal(found[0, :5], torch.from_numpy(searched(picture(0), Proposals())[:5]))


def test_a_damaged_entry_is_made_anew(own_cache: Path, searches: list[int]) -> None:
    whole = kept(picture(), Proposals())
    (file,) = own_cache.glob("proposals/*/regions.npy")
    file.write_bytes(file.read_bytes()[:100])
    assert np.array_equal(kept(picture(), Proposals()), whole)
    assert len(searches) == 2


def test_opencv_without_its_contributions_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(AssayError, match=r"OpenCV is not installed; install the extra 'rcnn'"):
        proposals(shown(picture()), Proposals())
