"""Frames, formats, warnings, pipes and too much of it: read, or told by the picture's name."""

import io
import os
import threading
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assay.data import ImageSet, decode_all, open_images, pixels_file
from assay.data.remarks import remarks
from assay.data.warned import heard, listening
from assay.errors import AssayError
from assay.recipe import Data
from assay.tools.inspection import inspect
from assay.tools.inspection.verdict import verdict

PIXELS = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set of one plain picture in each of two classes."""
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    for label in "ab":
        (tmp_path / "set" / label).mkdir(parents=True)
        Image.fromarray(PIXELS).save(tmp_path / "set" / label / "1.png")
    return tmp_path / "set"


def opened(where: Path, **data: object) -> ImageSet:
    return open_images(Data.model_validate({"source": str(where), **data}), where.parent)


@pytest.mark.parametrize("ending", ["gif", "png", "webp", "tif", "avif"])
def test_of_several_frames_the_first_is_read_and_that_is_told(where: Path, ending: str) -> None:
    frames = [Image.new("RGB", (16, 16), (shade, 0, 0)) for shade in (200, 90, 30)]
    options = {"lossless": True} if ending == "webp" else {}
    frames[0].save(where / "a" / f"many.{ending}", save_all=True, append_images=frames[1:], **options)
    images = opened(where)
    assert abs(int(images.pixels[images.names.index(f"a/many.{ending}"), 0, 8, 8]) - 200) <= 3
    told = f"1 of 3 pictures of {where} (a/many.{ending}): several frames, of which the first is read"
    assert told in remarks(images)


def test_check_says_it_too(where: Path) -> None:
    Image.new("L", (16, 16), 9).save(where / "a" / "two.gif", save_all=True, append_images=[Image.new("L", (16, 16))])
    found = inspect(Data(source=str(where)), where.parent)
    said = f"1 of 3 pictures of {where} (a/two.gif): several frames, of which the first is read."
    assert said in verdict(found)


@pytest.mark.parametrize("ending", ["avif", "jp2", "j2k"])
def test_newer_formats_are_read(where: Path, ending: str) -> None:
    Image.fromarray(np.full((16, 16, 3), 120, np.uint8)).save(where / "b" / f"new.{ending}")
    images = opened(where)
    assert np.abs(images.pixels[images.names.index(f"b/new.{ending}")].astype(int) - 120).max() <= 3


def test_what_cannot_be_read_is_told_for_what_it_is(where: Path) -> None:
    (where / "a" / "phone.HEIC").write_bytes(b"x")
    with pytest.raises(AssayError, match=r"a/phone\.HEIC \(HEIF, which is not read: convert it"):
        opened(where)
    assert opened(where, on_bad_image="skip").skipped[0][0] == "a/phone.HEIC"
    for label in "ab":
        (where / label / "1.png").unlink()
    with pytest.raises(AssayError, match=r"holds no picture .*; a/phone\.HEIC is HEIF, which is not read"):
        opened(where)


def damaged_exif() -> bytes:
    """A PNG whose EXIF block is none: Pillow raises."""
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "PNG", exif=b"this is no TIFF header")
    return buffer.getvalue()


def short_exif() -> bytes:
    """A JPEG whose EXIF block ends within an entry: Pillow warns."""
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "a description that is longer than four bytes"
    Image.fromarray(PIXELS).save(buffer, "JPEG", exif=exif.tobytes()[:-30])
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("picture", "said"),
    [(damaged_exif(), "EXIF data are damaged"), (short_exif(), "Tag data larger than file")],
    ids=["damaged", "short"],
)
def test_a_picture_with_damaged_exif_is_read_and_named(where: Path, picture: bytes, said: str) -> None:
    (where / "b" / "phone.jpg").write_bytes(picture)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing is said without the name
        images = opened(where)
    assert images.names == ["a/1.png", "b/1.png", "b/phone.jpg"]
    (told,) = remarks(images)
    assert told.startswith(f"1 of 3 pictures of {where} (b/phone.jpg): ")
    assert said in told


def test_a_large_picture_is_warned_of_by_name(where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    Image.new("RGB", (40, 40), 7).save(where / "b" / "large.png")
    assert any(
        "(b/large.png): Image size (1600 pixels) exceeds limit" in told for told in remarks(opened(where, size=8))
    )


def test_a_warning_goes_to_the_thread_that_is_heard_and_else_where_it_went() -> None:
    def elsewhere() -> None:
        warnings.warn("of another thread", stacklevel=1)

    with warnings.catch_warnings(record=True) as others, listening(), heard() as texts:
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        for _ in range(2):
            warnings.warn("mine", stacklevel=1)
    assert texts == ["mine", "mine"]
    assert [str(other.message) for other in others] == ["of another thread"]


@pytest.mark.skipif(os.name == "nt", reason="named pipes are POSIX")
def test_a_pipe_is_told_and_not_waited_for(where: Path) -> None:
    os.mkfifo(where / "a" / "x.png")
    with pytest.raises(AssayError, match=r"a/x\.png \(it is no regular file\)"):
        opened(where)
    images = opened(where, on_bad_image="skip")
    assert images.names == ["a/1.png", "b/1.png"]
    assert images.skipped == [("a/x.png", "it is no regular file")]
    os.mkfifo(where.parent / "pipe.zip")
    with pytest.raises(AssayError, match="neither a folder nor a regular file"):
        opened(where.parent / "pipe.zip")


def test_pictures_in_their_own_size_have_a_limit_that_can_be_lifted(
    where: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(pixels_file.LIMIT, "1e-6")
    with pytest.raises(
        AssayError, match=r"2 pictures .* in their own size, 16×16, and the limit is 1e-06; set data\.size"
    ):
        opened(where)
    assert len(opened(where, size=16)) == 2
    monkeypatch.setenv(pixels_file.LIMIT, "much")
    with pytest.raises(AssayError, match="ASSAY_DECODED_LIMIT: found 'much', expected a number of GiB"):
        opened(where)
    monkeypatch.setenv(pixels_file.LIMIT, "1")
    assert len(opened(where)) == 2


@pytest.mark.parametrize("size", [None, 8])
def test_a_bomb_is_decoded_in_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int | None) -> None:
    """Of all pictures that are decoded at once, as they are while Pillow holds them."""
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(decode_all, "MEMORY", 2 * 400 * 400 * 8)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    held, most, lock, decode = 0, 0, threading.Lock(), decode_all.decode

    def watched(image: Image.Image, form: object) -> object:
        nonlocal held, most
        with lock:
            held += 1
            most = max(most, held)
        try:
            return decode(image, form)
        finally:
            with lock:
                held -= 1

    monkeypatch.setattr(decode_all, "decode", watched)
    content = io.BytesIO()
    Image.fromarray(PIXELS).resize((400, 400)).save(content, "PNG")
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w") as archive:
        for k in range(24):
            archive.writestr(f"{'ab'[k % 2]}/{k}.png", content.getvalue())
    images = opened(tmp_path / "bomb.zip", size=size)
    assert len(images) == 24
    assert 1 <= most <= 2


def test_a_picture_larger_than_the_first_is_not_decoded_for_nothing(where: Path) -> None:
    """After a small first one, or a bad first one, whose size says nothing of the others."""
    Image.new("RGB", (300, 300), 5).save(where / "b" / "large.png")
    with pytest.raises(AssayError, match=r"a/1\.png 16×16, b/large\.png 300×300"):
        opened(where)
    for path in where.glob("*/*.png"):
        path.unlink()
    content = io.BytesIO()
    Image.fromarray(PIXELS).save(content, "PNG")
    (where / "a" / "0.png").write_bytes(content.getvalue()[:200])
    for label in "ab":
        Image.new("RGB", (300, 300), (9, 8, 7)).save(where / label / "1.png")
    images = opened(where, on_bad_image="skip")
    assert images.names == ["a/1.png", "b/1.png"]
    assert images.pixels[:, :, 5, 5].tolist() == [[9, 8, 7]] * 2
