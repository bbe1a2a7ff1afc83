"""The decode-once cache: one decoding per source, whole or absent, shared and safe under concurrency and full disks."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assay.data import cache, open_images
from assay.data.boxes import Boxes
from assay.data.images import Contents, Source
from assay.data.targets import VOID, Labels, Masks, Tags, Targets, Values
from assay.errors import AssayError
from assay.recipe import Data
from assay.system.process import Process, this_host, this_process


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "images"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, value in (("a/1", 1), ("a/2", 2), ("b/1", 3), ("b/2", 4)):
        path = tmp_path / "root" / "set" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), value).save(path)
    return tmp_path / "root"


class Calls(list[tuple[int, int]]):
    def __call__(self, done: int, total: int) -> None:
        self.append((done, total))


def test_a_source_is_decoded_once_and_mapped_afterwards(root: Path) -> None:
    first, second = Calls(), Calls()
    one = open_images(Data(source="set"), root, first)
    two = open_images(Data(source="set"), root, second)
    assert first[-1] == (4, 4)
    assert second == []
    assert isinstance(two.pixels, np.memmap)
    assert not two.pixels.flags.writeable
    np.testing.assert_array_equal(one.pixels, two.pixels)
    assert (one.names, one.classes, one.skipped) == (two.names, two.classes, two.skipped)
    assert one.names == ["a/1.png", "a/2.png", "b/1.png", "b/2.png"]


def test_progress_rises_to_the_total(tmp_path: Path) -> None:
    calls = Calls()
    open_images(Data(source="digits"), tmp_path, calls)
    assert len(calls) > 2
    assert calls == sorted(calls)
    assert calls[-1] == (1797, 1797)


@pytest.mark.parametrize("other", [{"size": 4}, {"color": "rgb"}])
def test_another_size_or_color_is_another_entry(root: Path, folder: Path, other: dict[str, object]) -> None:
    open_images(Data(source="set"), root)
    open_images(Data.model_validate({"source": "set", **other}), root)
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("other", [{"augment": ["crop"]}, {"on_bad_image": "skip"}, {"train": 0.5, "split_seed": 3}])
def test_what_does_not_touch_the_pixels_shares_the_entry(root: Path, folder: Path, other: dict[str, object]) -> None:
    open_images(Data(source="set"), root)
    open_images(Data.model_validate({"source": "set", **other}), root)
    assert len(list(folder.iterdir())) == 1


def test_a_changed_added_or_removed_file_is_noticed(root: Path) -> None:
    picture = root / "set" / "a" / "1.png"
    open_images(Data(source="set"), root)
    Image.new("L", (8, 8), 77).save(picture)
    os.utime(picture, (1, 1))  # the clock of some file systems is coarse
    assert open_images(Data(source="set"), root).pixels[0, 0, 0, 0] == 77
    shutil.copy(picture, picture.with_name("0.png"))
    assert open_images(Data(source="set"), root).names[0] == "a/0.png"
    picture.unlink()
    assert len(open_images(Data(source="set"), root)) == 4
    shutil.rmtree(root / "set" / "b")
    (root / "set" / "b").mkdir()
    with pytest.raises(AssayError, match="class folder 'b'"):
        open_images(Data(source="set"), root)


def test_a_failed_decoding_leaves_nothing_behind(root: Path, folder: Path) -> None:
    (root / "set" / "a" / "3.png").write_bytes(b"no")
    with pytest.raises(AssayError, match=r"a/3\.png"):
        open_images(Data(source="set"), root)
    assert list(folder.iterdir()) == []


def test_an_interrupted_decoding_leaves_nothing_behind(root: Path, folder: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_images(Data(source="set"), root, interrupt)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["pixels.npy", "labels.npy", "is_test.npy", "index.json"])
@pytest.mark.parametrize("damage", ["truncate", "remove"])
def test_a_damaged_entry_is_decoded_again(root: Path, folder: Path, name: str, damage: str) -> None:
    expected = np.array(open_images(Data(source="set"), root).pixels)
    (entry,) = folder.iterdir()
    if damage == "remove":
        (entry / name).unlink()
    else:
        os.truncate(entry / name, (entry / name).stat().st_size // 2)
    np.testing.assert_array_equal(open_images(Data(source="set"), root).pixels, expected)
    assert [p.name for p in folder.iterdir()] == [entry.name]


def test_a_full_disk_is_told_before_anything_is_decoded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 0, 3 * 2**20))
    with pytest.raises(AssayError, match=r"decoding .*set needs 12 MiB and .* has 3 MiB free; set ASSAY_CACHE"):
        open_images(Data(source="set", size=(2048, 1536)), root)


def test_a_disk_that_fills_up_meanwhile_is_told(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.files, "write", full)
    with pytest.raises(AssayError, match=r"cannot write the cache .*the disk is full.*ASSAY_CACHE"):
        open_images(Data(source="set"), root)
    assert list(folder.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_named(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "file"))
    with pytest.raises(AssayError, match=r"cannot write the cache .*Not a directory"):
        open_images(Data(source="set"), root)


def test_leftovers_of_dead_processes_are_removed_and_of_live_ones_kept(root: Path, folder: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = folder / f".00ff.{Process(this_host(), dead.pid, 1)}.ab.tmp"
    kept = [folder / f".00ff.{this_process()}.ab.tmp", folder / ".00ff.other-1-1.ab.tmp", folder / ".else.tmp"]
    old = folder / ".00ff.other-2-1.ab.tmp"
    for path in (left, old, *kept):
        path.mkdir(parents=True)
    os.utime(old, (time.time() - 2 * 86400,) * 2)
    open_images(Data(source="set"), root)
    assert not left.exists()
    assert not old.exists()
    assert all(path.exists() for path in kept)


DECODE = (
    "import sys; from pathlib import Path; from assay.data import open_images; from assay.recipe import Data; "
    "print('ready', flush=True); sys.stdin.readline(); "
    "print(int(open_images(Data(source='digits', size=20), Path('x')).pixels.sum(dtype='int64')))"
)


def decoding() -> "subprocess.Popen[str]":
    process = subprocess.Popen([sys.executable, "-c", DECODE], stdin=-1, stdout=-1, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_processes_that_decode_at_once_end_with_one_good_entry(folder: Path) -> None:
    processes = [decoding() for _ in range(3)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    sums = [process.communicate()[0] for process in processes]
    assert len(set(sums)) == 1
    assert sums[0].strip() == str(int(open_images(Data(source="digits", size=20), Path("x")).pixels.sum(dtype="int64")))
    assert len(list(folder.iterdir())) == 1


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")
@pytest.mark.parametrize("wait", [0.0, 0.02, 0.08, 0.2])
def test_a_killed_decoding_is_done_again(folder: Path, wait: float) -> None:
    process = decoding()
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    time.sleep(wait)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    images = open_images(Data(source="digits", size=20), Path("x"))
    assert images.pixels.shape == (1797, 1, 20, 20)
    assert [p for p in folder.iterdir() if p.name.startswith(".")] == []


def test_large_pictures_in_threads_come_in_order(tmp_path: Path) -> None:
    for k in range(12):
        path = tmp_path / "set" / "ab"[k % 2] / f"{k:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (400, 300), k).save(path)
    images = open_images(Data(source="set", size=6), tmp_path)
    assert images.pixels[:, 0, 3, 3].tolist() == [int(Path(name).stem) for name in images.names]
    assert images.names == sorted(images.names)


def aged(entry: Path, days: float) -> None:
    then = time.time() - days * 24 * 3600
    os.utime(entry, (then, then))


def test_an_entry_without_a_reader_for_30_days_is_removed_when_another_is_made(root: Path, folder: Path) -> None:
    mapped = open_images(Data(source="set"), root).pixels
    (old,) = folder.iterdir()
    other, own = folder / "0123456789abcdef01234567.d", folder / "pictures"
    for path in (other, own):  # not ours
        path.mkdir()
        aged(path, 400)
    aged(old, 29)
    open_images(Data(source="set", size=4), root)
    assert old.exists()
    aged(old, 31)
    open_images(Data(source="set", size=6), root)
    assert not old.exists()
    assert {other, own} < set(folder.iterdir())
    assert not list(folder.glob(".*"))
    assert sorted(set(mapped.ravel().tolist())) == [1, 2, 3, 4]  # who has it mapped keeps it
    open_images(Data(source="set"), root)
    assert old.exists()


def test_reading_an_entry_keeps_it(root: Path, folder: Path) -> None:
    open_images(Data(source="set"), root)
    (entry,) = folder.iterdir()
    aged(entry, 31)
    open_images(Data(source="set"), root)
    open_images(Data(source="set", size=4), root)
    assert entry.exists()


def test_an_entry_that_cannot_be_removed_stays(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_images(Data(source="set"), root)
    (entry,) = folder.iterdir()
    aged(entry, 31)
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if path == entry:
            raise PermissionError("in use by another process")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    open_images(Data(source="set", size=4), root)
    assert entry.exists()


@pytest.mark.parametrize("fit", ["stretch", "letterbox"])
def test_letterboxed_pictures_are_another_entry(root: Path, folder: Path, fit: str) -> None:
    stretched = open_images(Data(source="set", size=(4, 8)), root)
    other = open_images(Data(source="set", size=(4, 8), fit=fit), root)
    assert (other.identity == stretched.identity) == (fit == "stretch")
    assert len(list(folder.iterdir())) == (1 if fit == "stretch" else 2)
    assert (other.pixels[0, 0, :, 0] == (1 if fit == "stretch" else 0)).all()
    assert (other.pixels[0, 0, :, 4] == 1).all()


BOXES = Boxes(
    edges=np.array([[0, 0, 10, 20], [5, 5, 10, 10], [2, 4, 4, 8]], np.float32),
    labels=np.array([0, 1, 1]),
    flags=np.array([0, 1, 2], np.uint8),
    starts=np.array([0, 2, 2, 3]),
)
MASKS = Masks(np.array([np.full((20, 10), k, np.uint8) for k in (0, 1, 2)]))
KINDS: dict[str, Targets] = {
    "labels": Labels(np.array([1, 0, 1])),
    "values": Values(np.array([[1.5], [2.5], [1e9]]), ("weight",)),
    "tags": Tags(np.array([[1, 0], [0, 0], [1, 1]], np.uint8)),
    "boxes": BOXES,
    "masks": MASKS,
}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch):
    """A source of three pictures of 20×10 pixels with any targets; the second one may be damaged."""

    def make(targets: Targets, damaged: bool = False) -> None:
        def image(i: int) -> Image.Image:
            if damaged and i == 1:
                raise ValueError("damaged")
            return Image.new("L", (10, 20), 50 * (i + 1))

        contents = Contents(
            ["a", "b", "c"] if isinstance(targets, Masks) else ["a", "b"],
            ["p0", "p1", "p2"],
            targets,
            np.array([False, True, False]),
            image,
        )
        source = Source("three", ["three", targets.kind, damaged], lambda: contents)
        monkeypatch.setattr(cache, "find", lambda *_: source)

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_targets_of_every_kind_are_kept_and_read_again(made, root: Path, kind: str) -> None:
    made(KINDS[kind])
    first, again = (open_images(Data(source="three"), root) for _ in range(2))
    for images in (first, again):
        assert images.targets.kind == kind
        assert [images.targets.line(i) for i in range(3)] == [KINDS[kind].line(i) for i in range(3)]
        assert images.sizes.tolist() == [[20, 10]] * 3


@pytest.mark.parametrize("fit", ["letterbox", "pad"])
@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_pictures_with_boxes_lie_on_gray_and_all_others_on_black(made, root: Path, fit: str, color: str) -> None:
    for kind, around in (("boxes", 114), ("masks", 0), ("labels", 0)):
        made(KINDS[kind])
        images = open_images(Data(source="three", size=20, fit=fit, color=color), root)
        assert (images.pixels[..., :5] == around).all()
        assert (images.pixels[..., 15:] == around).all()
        assert (images.pixels[1, ..., 5:15] == 100).all()
        assert images.around == around


@pytest.mark.parametrize("kind", ["values", "tags", "boxes", "masks"])
def test_targets_follow_the_pictures_that_are_left(made, root: Path, kind: str) -> None:
    made(KINDS[kind], damaged=True)
    images = open_images(Data(source="three", on_bad_image="skip"), root)
    assert (images.names, images.is_test.tolist()) == (["p0", "p2"], [False, False])
    assert [images.targets.line(i) for i in range(2)] == [KINDS[kind].line(i) for i in (0, 2)]
    with pytest.raises(
        AssayError, match=rf"data.balance needs one label an image, and the images of three have {kind}"
    ):
        images.labels_for("data.balance")
    with pytest.raises(AssayError, match=f"the images of three have {kind}"):
        _ = images.labels


def test_only_a_label_needs_a_readable_image_of_each_class(made, root: Path) -> None:
    made(KINDS["labels"], damaged=True)
    with pytest.raises(AssayError, match="class 'a' of three has no readable image"):
        open_images(Data(source="three", on_bad_image="skip"), root)


@pytest.mark.parametrize("name", ["edges", "box_labels", "flags", "starts", "sizes"])
def test_an_entry_that_lost_a_part_of_its_boxes_is_made_again(made, root: Path, folder: Path, name: str) -> None:
    made(BOXES)
    data = Data(source="three", size=40, fit="letterbox")
    whole = open_images(data, root).targets
    (entry,) = folder.iterdir()
    (entry / f"{name}.npy").unlink()
    again = open_images(data, root).targets
    assert [again.line(i) for i in range(3)] == [whole.line(i) for i in range(3)]


def test_boxes_lie_on_the_canvas_and_are_kept_in_the_pictures_pixels(made, root: Path, folder: Path) -> None:
    made(BOXES)
    stretched = open_images(Data(source="three", size=40), root).targets
    boxed = open_images(Data(source="three", size=40, fit="letterbox"), root).targets
    assert stretched.edges.tolist() == [[0, 0, 40, 40], [20, 10, 40, 20], [8, 8, 16, 16]]
    assert boxed.edges.tolist() == [[10, 0, 30, 40], [20, 10, 30, 20], [14, 8, 18, 16]]
    for entry in folder.iterdir():
        np.testing.assert_array_equal(np.load(entry / "edges.npy"), BOXES.edges)


def test_masks_lie_on_the_canvas_with_void_around_them(made, root: Path) -> None:
    made(MASKS)
    masks = open_images(Data(source="three", size=(4, 8), fit="letterbox"), root).targets.values
    assert isinstance(masks, np.memmap)
    expected = np.full((3, 4, 8), VOID)
    expected[:, :, 3:5] = np.arange(3)[:, None, None]
    np.testing.assert_array_equal(masks, expected)
