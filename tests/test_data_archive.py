"""Zips as other systems write them: backslashes, names in other encodings, methods that are not read."""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assay.data import open_images
from assay.errors import AssayError
from assay.recipe import Data


def png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def plain_zip(root: Path, names: list[bytes]) -> Path:
    """A zip that says nothing of the encoding of its names."""
    path = root / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for k, name in enumerate(names):
            archive.writestr(f"{k:04d}".ljust(len(name), "x"), png())
    content = path.read_bytes()
    for k, name in enumerate(names):
        content = content.replace(f"{k:04d}".ljust(len(name), "x").encode(), name)
    path.write_bytes(content)
    return path


def classes(root: Path, names: list[bytes]) -> list[str]:
    plain_zip(root, names)
    return open_images(Data(source="set.zip"), root).classes


def test_backslashes_part_folders(tmp_path: Path) -> None:
    assert classes(tmp_path, [rb"pets\train\cat\1.png", rb"pets\train\dog\1.png", rb"pets\test\cat\2.png"]) == [
        "cat", "dog",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("cp932", ["カメラ", "表示"]),  # the second byte of ソ and 表 is that of a backslash
        ("cp932", ["ソース", "abc", "画像A"]),
        ("utf-8", ["カメラ", "Größe"]),
        ("utf-8", ["été", "hiver"]),
        ("cp437", ["Zürich", "Genève"]),
        ("cp437", ["Köln", "Café", "Señor"]),
    ],
)
def test_names_are_read_in_the_encoding_that_they_are_text_in(tmp_path: Path, encoding: str, words: list[str]) -> None:
    assert classes(tmp_path, [f"{word}/bild{k}.png".encode(encoding) for word in words for k in (1, 2)]) == sorted(
        words
    )


def test_a_zip_that_says_utf_8_and_has_none_is_named(tmp_path: Path) -> None:
    path = plain_zip(tmp_path, [b"a/caf\xe9.png", b"b/1.png"])
    content = bytearray(path.read_bytes())
    at = content.find(b"PK\x01\x02")
    content[at + 8 : at + 10] = struct.pack("<H", 0x800)
    path.write_bytes(content)
    with pytest.raises(AssayError, match=r"entry 'a/caf\\\\xe9.png' is said to be in UTF-8 and is not"):
        open_images(Data(source="set.zip"), tmp_path)


@pytest.mark.parametrize(("number", "method"), [(9, "Deflate64"), (6, "method 6")])
def test_a_zip_packed_in_a_way_that_is_not_read_is_named(tmp_path: Path, number: int, method: str) -> None:
    path = plain_zip(tmp_path, [b"aaa/1.png", b"bbb/1.png"])
    content = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = content.find(magic)
        content[at + offset : at + offset + 2] = struct.pack("<H", number)
    path.write_bytes(content)
    with pytest.raises(AssayError, match=rf"set.zip is packed with {method} \(aaa/1.png\), .* again with Deflate"):
        open_images(Data(source="set.zip"), tmp_path)
