"""Folders and zips of pictures: layouts, what is ignored, what is refused."""

import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assay.data import ImageSet, open_images
from assay.errors import AssayError
from assay.recipe import Data


def png(value: int = 0, mode: str = "L", size: tuple[int, int] = (4, 4)) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, value if mode == "L" else (value, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


Tree = dict[str, bytes]


def as_folder(root: Path, tree: Tree) -> None:
    for name, content in tree.items():
        path = root / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.write_bytes(content)


def as_zip(root: Path, tree: Tree) -> None:
    with zipfile.ZipFile(root / "set.zip", "w") as archive:
        for name, content in tree.items():
            archive.writestr(name, content)


@pytest.fixture(params=[as_folder, as_zip])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., ImageSet]:
    def make(tree: Tree, **data: object) -> ImageSet:
        request.param(tmp_path, tree)
        return open_images(Data.model_validate({"source": "set", **data}), tmp_path)

    return make


def test_class_folders(opened: Callable[..., ImageSet]) -> None:
    images = opened({"b/2.png": png(2), "a/1.png": png(1), "a/deep/er/3.PNG": png(3), "b/x.jpg": png(4)})
    assert images.classes == ["a", "b"]
    assert images.names == ["a/1.png", "a/deep/er/3.PNG", "b/2.png", "b/x.jpg"]
    assert images.labels.tolist() == [0, 0, 1, 1]
    assert images.pixels[:, 0, 0, 0].tolist() == [1, 3, 2, 4]
    assert not images.is_test.any()


@pytest.mark.parametrize("top", ["", "archive/", "archive/v2/"])
@pytest.mark.parametrize("names", [("train", "test", "val"), ("Training", "Testing", "valid")])
def test_split_folders(opened: Callable[..., ImageSet], top: str, names: tuple[str, str, str]) -> None:
    train, test, validation = names
    tree = {f"{top}{s}/{c}/{k}.png": png() for s in (train, test) for c in "ab" for k in range(2)}
    images = opened({**tree, f"{top}{validation}/a/v.png": png()})
    assert images.classes == ["a", "b"]
    assert images.is_test.sum() == 4
    assert all(test in name for name, is_test in zip(images.names, images.is_test, strict=True) if is_test)
    assert f"{top}{validation}/a/v.png" in images.names


def test_a_lone_train_folder_is_no_class(opened: Callable[..., ImageSet]) -> None:
    images = opened({"train/a/1.png": png(), "train/b/1.png": png()})
    assert images.classes == ["a", "b"]
    assert not images.is_test.any()


def test_a_class_may_be_called_train(opened: Callable[..., ImageSet]) -> None:
    images = opened({"train/1.png": png(), "bus/1.png": png(), "car/1.png": png()})
    assert images.classes == ["bus", "car", "train"]


def test_a_single_top_folder_is_gone_through(opened: Callable[..., ImageSet]) -> None:
    assert opened({"pets/cat/1.png": png(), "pets/dog/1.png": png()}).classes == ["cat", "dog"]


def test_what_is_no_picture_is_passed_over(opened: Callable[..., ImageSet]) -> None:
    tree = {"a/1.png": png(), "b/1.png": png()}
    noise = {
        "README.md": b"x", "LICENSE": b"x", "a/Thumbs.db": b"x", ".hidden/1.png": b"x", "a/.1.png": b"x",
        "__MACOSX/a/._1.png": b"x", "a/.DS_Store": b"x",
    }  # fmt: skip
    images = opened({**tree, **noise})
    assert images.names == ["a/1.png", "b/1.png"]
    assert images.skipped == []


def test_a_file_among_the_pictures_of_a_class_that_is_none_is_named(opened: Callable[..., ImageSet]) -> None:
    tree = {"a/1.png": png(), "b/1.png": png(), "b/notes.txt": b"x"}
    with pytest.raises(AssayError, match=r"b/notes\.txt"):
        opened(tree)
    assert opened(tree, on_bad_image="skip").skipped == [("b/notes.txt", "does not end like a picture")]


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"README": b""}, "holds no picture"),
        ({"1.png": png(), "2.png": png()}, "no class folders around them"),
        ({"a/1.png": png()}, "only one class, 'a'"),
        ({"top/a/1.png": png()}, "only one class, 'a'"),
        ({"a/1.png": png(), "b/1.png": png(), "c/": b""}, "class folder 'c' of .* has no picture"),
        ({"a/1.png": png(), "b/notes.txt": b""}, "class folder 'b' of .* has no picture"),
        ({"train/a/1.png": png(), "train/b/": b"", "test/a/1.png": png()}, "class folder 'train/b' .* has no picture"),
        (
            {"train/a/1.png": png(), "train/b/1.png": png(), "test/c/1.png": png()},
            "class 'c' of .* has test pictures but none to train on",
        ),
        ({"train/1.png": png(), "test/1.png": png()}, "folder 'train' but no class folders"),
    ],
)
def test_layouts_that_cannot_be_studied(opened: Callable[..., ImageSet], tree: Tree, message: str) -> None:
    with pytest.raises(AssayError, match=message):
        opened(tree)


MISPLACED = {
    "train/a/1.png": png(), "train/b/1.png": png(), "test/7.png": png(), "more/a/1.png": png(), "logo.png": png(),
}  # fmt: skip


def test_misplaced_pictures_are_named(opened: Callable[..., ImageSet]) -> None:
    with pytest.raises(AssayError, match=r"logo.png \(lies in neither.*more/a/1.png .*test/7.png \(lies in no class"):
        opened(MISPLACED)


def test_misplaced_pictures_are_skipped_on_request(opened: Callable[..., ImageSet]) -> None:
    images = opened(MISPLACED, on_bad_image="skip")
    assert images.names == ["train/a/1.png", "train/b/1.png"]
    assert [name for name, _ in images.skipped] == ["logo.png", "more/a/1.png", "test/7.png"]


BAD = {
    "a/1.png": png(1), "a/empty.png": b"", "a/text.jpg": b"hello", "b/cut.png": png(9, size=(64, 64))[:60],
    "b/2.png": png(2), "b/3.png": b"GIF89a",
}  # fmt: skip


def test_bad_pictures_are_named_and_counted(opened: Callable[..., ImageSet]) -> None:
    with pytest.raises(AssayError, match=r"a/empty.png \(not an image\), a/text.jpg .*, b/3.png .* and 1 more"):
        opened(BAD)


def test_bad_pictures_are_skipped_and_listed(opened: Callable[..., ImageSet]) -> None:
    images = opened(BAD, on_bad_image="skip")
    assert images.names == ["a/1.png", "b/2.png"]
    assert images.pixels[:, 0, 0, 0].tolist() == [1, 2]
    assert [name for name, _ in images.skipped] == ["a/empty.png", "a/text.jpg", "b/3.png", "b/cut.png"]
    assert all(reason for _, reason in images.skipped)


def test_what_was_skipped_once_still_fails_when_it_may_not_be(opened: Callable[..., ImageSet]) -> None:
    opened(BAD, on_bad_image="skip")
    with pytest.raises(AssayError, match=r"a/empty\.png"):
        opened(BAD, on_bad_image="fail")


def test_a_class_that_loses_all_its_pictures_is_named(opened: Callable[..., ImageSet]) -> None:
    with pytest.raises(AssayError, match=r"class 'b' of .* has no readable image"):
        opened({"a/1.png": png(), "b/1.png": b"no"}, on_bad_image="skip")


def test_sizes_must_agree_or_be_set(opened: Callable[..., ImageSet]) -> None:
    tree = {"a/1.png": png(size=(4, 4)), "b/2.png": png(size=(6, 5))}
    with pytest.raises(AssayError, match=r"a/1.png 4×4, b/2.png 5×6.*set data.size"):
        opened(tree)
    assert opened(tree, size=7).pixels.shape == (2, 1, 7, 7)
    assert opened(tree, size=(3, 5)).pixels.shape == (2, 1, 3, 5)


def test_color_is_rgb_as_soon_as_one_picture_is(opened: Callable[..., ImageSet]) -> None:
    tree = {"a/1.png": png(7), "b/2.png": png(100, "RGB"), "b/3.png": png(9)}
    images = opened(tree)
    assert images.pixels.shape == (3, 3, 4, 4)
    assert images.pixels[:, :, 0, 0].tolist() == [[7, 7, 7], [100, 0, 0], [9, 9, 9]]
    gray = opened(tree, color="gray")
    assert gray.pixels[:, 0, 0, 0].tolist() == [7, 30, 9]  # 0.299 R


def test_gray_pictures_become_rgb_on_request(opened: Callable[..., ImageSet]) -> None:
    images = opened({"a/1.png": png(7), "b/2.png": png(8)}, color="rgb")
    assert images.pixels[:, :, 0, 0].tolist() == [[7] * 3, [8] * 3]


@pytest.mark.parametrize(
    "name",
    ["../a/1.png", "a/../../1.png", "/a/1.png", "C:/a/1.png", "c:a.png", "C:\\a\\1.png", "..\\1.png", "../notes.txt"],
)
def test_a_zip_that_climbs_out_of_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    as_zip(tmp_path, {"a/1.png": png(), "b/1.png": png(), name: png()})
    with pytest.raises(AssayError, match="is refused: its entry"):
        open_images(Data(source="set.zip"), tmp_path)


@pytest.mark.parametrize("cut", [0, 10, -30])
def test_a_truncated_zip_is_named(tmp_path: Path, cut: int) -> None:
    as_zip(tmp_path, {"a/1.png": png(), "b/1.png": png()})
    path = tmp_path / "set.zip"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(AssayError, match=r"set.zip is not a whole zip file"):
        open_images(Data(source="set"), tmp_path)


def test_a_file_of_another_kind_is_no_zip(tmp_path: Path) -> None:
    (tmp_path / "set.zip").write_bytes(png())
    with pytest.raises(AssayError, match="not a whole zip file"):
        open_images(Data(source="set.zip"), tmp_path)


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    as_zip(tmp_path, {"a/1.png": png(), "b/1.png": png()})
    path = tmp_path / "set.zip"
    content = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(magic)
        content[at + offset : at + offset + 2] = struct.pack("<H", 1)
    path.write_bytes(content)
    with pytest.raises(AssayError, match=r"set.zip is encrypted \(a/1.png\)"):
        open_images(Data(source="set"), tmp_path)


def test_a_damaged_entry_of_a_zip_is_a_bad_picture(tmp_path: Path) -> None:
    as_zip(tmp_path, {"a/1.png": png(1), "a/2.png": png(2), "b/1.png": png(3)})
    path = tmp_path / "set.zip"
    content = bytearray(path.read_bytes())
    at = content.find(png(2)) + 50
    content[at] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(AssayError, match=r"a/2.png \(Bad CRC-32"):
        open_images(Data(source="set"), tmp_path)


def test_a_link_that_leads_back_up_ends_nothing(tmp_path: Path) -> None:
    as_folder(tmp_path, {"a/1.png": png(), "b/1.png": png()})
    (tmp_path / "set" / "a" / "up").symlink_to(tmp_path / "set", target_is_directory=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "9.png").write_bytes(png())
    (tmp_path / "set" / "c").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert open_images(Data(source="set"), tmp_path).names == ["a/1.png", "b/1.png", "c/9.png"]


def test_a_dangling_link_is_a_bad_picture(tmp_path: Path) -> None:
    as_folder(tmp_path, {"a/1.png": png(), "b/1.png": png()})
    (tmp_path / "set" / "a" / "2.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(AssayError, match=r"a/2.png \(.*No such file"):
        open_images(Data(source="set"), tmp_path)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may read every folder")
def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    as_folder(tmp_path, {"a/1.png": png(), "b/1.png": png()})
    (tmp_path / "set" / "b").chmod(0)
    with pytest.raises(AssayError, match="cannot be listed"):
        open_images(Data(source="set"), tmp_path)


def test_names_in_any_script(opened: Callable[..., ImageSet]) -> None:
    images = opened({"חתול/1.png": png(), "<b>&'\"/é ñ.png": png()})
    assert images.classes == sorted(["חתול", "<b>&'\""])


def test_a_source_is_found_absolutely_under_the_root_and_under_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_zip(tmp_path, {"a/1.png": png(), "b/1.png": png()})
    monkeypatch.chdir(tmp_path)
    for name in ("set", "set.zip", str(tmp_path / "set.zip"), str(tmp_path / "set")):
        assert len(open_images(Data(source=name), tmp_path / "elsewhere")) == 2


def test_the_zips_of_the_data_root(data_root: Path) -> None:
    scans = open_images(Data(source="brain-mri", size=32), data_root)
    assert scans.classes == ["no", "yes"]
    assert np.bincount(scans.labels).tolist() == [980, 1085]
    assert scans.pixels.shape == (2065, 1, 32, 32)
