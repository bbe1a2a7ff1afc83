"""Which mask belongs to which picture, told from their names.

``images/[split/]NAME.jpg`` with ``masks/[split/]NAME.png``, ``split/images/…`` with ``split/masks/…``, or ``train/…``
with ``trainannot/…`` or ``train_labels/…``; the mask may add a word to the picture's name (``NAME_mask.png``).
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from posixpath import basename, dirname, splitext
from typing import Literal

from assay.data.sources.split_names import split_called
from assay.errors import AssayError
from assay.recipe.data import Layout, SplitName

IMAGES = ("images", "image", "imgs", "img", "jpegimages", "pictures", "photos", "frames")
MASKS = (
    "segmentationclass", "segmentations", "segmentation", "annotations", "annotation", "groundtruth", "masks", "mask",
    "labels", "label", "annot", "gt",
)  # fmt: skip
"""Names of folders, in small letters without ``_`` and blanks."""
_MASK_ENDING = re.compile(r"[_\-. ](masks?|labels?|l|seg|segmentation|gt|annot|annotation)$", re.IGNORECASE)
_IMAGE_ENDING = re.compile(r"[_\-. ](image|img|sat)$", re.IGNORECASE)

Role = Literal["image", "mask"]
Key = tuple[str, ...]


@dataclass(frozen=True)
class Pair:
    """A picture, its mask, or the file that tells its boxes, and its split; of a source without splits, ``train``."""

    name: str
    mask: str
    split: SplitName


@dataclass(frozen=True)
class Paired:
    """What the names tell, each in the order of the names."""

    pairs: list[Pair]
    unmasked: list[str]
    """Pictures without a mask."""
    unpictured: list[str]
    """Masks without a picture."""
    is_named: bool
    """Whether folders are called like those of pictures, and others like those of masks."""
    is_plain: bool
    """Whether all pictures with a mask lie in the same folder but for its split."""
    what: str = "mask"
    """What a picture is paired with, in a word."""

    @property
    def misplaced(self) -> list[tuple[str, str]]:
        """(name, reason) of what has no partner, the first of each kind before the others."""
        other = _but_for_capitals(self.unmasked, self.unpictured)
        pictures, masks = (
            [
                (
                    name,
                    f"one of {len(names):,} {what}" + (f", {other[name]} differs in capitals" if name in other else ""),
                )
                for name in names
            ]
            for names, what in (
                (self.unmasked, f"pictures without a {self.what}"),
                (self.unpictured, f"{self.what}s without a picture"),
            )
        )
        return [*pictures[:1], *masks[:1], *pictures[1:], *masks[1:]]


@dataclass(frozen=True)
class _File:
    name: str
    role: Role | None
    split: SplitName | None
    keys: tuple[Key, ...]
    """The folders that say nothing and the name, as it stands, then without the word that only masks have."""


def mask_pairs(where: str, pictures: Collection[str], stated: Layout | None) -> Paired | None:
    """The pictures of a source with their masks; None where it is not laid out so. ``stated`` is ``data.layout``.

    Without it, masks are believed where most of them or of the pictures have a partner, and where their folders are
    called so or there is nothing that could be classes; masks beside their pictures are looked for under ``masks``
    only.

    Raises:
        AssayError: a picture has two masks, or folders are called so, and their files have other names.
    """
    if stated in ("classes", "splits"):
        return None
    found = paired(pictures, dict(stated) if isinstance(stated, tuple) else {}, in_one_folder=stated == "masks")
    if stated == "masks":
        return found if found and found.pairs else None
    if found is None or not (found.is_named or found.is_plain):
        return None
    if found.pairs and len(found.pairs) >= min(len(found.unmasked), len(found.unpictured)):
        return found
    if found.is_named:
        name, why = found.misplaced[0]
        raise AssayError(
            f"{where} has folders of pictures and of masks, and only {len(found.pairs):,} names are in both ({name} is "
            f"{why}); give both the same names, or set data.layout: masks, or classes if these folders are classes"
        )
    return None


def lone_images(pictures: Collection[str], folders: Collection[str], others: Collection[str]) -> str | None:
    """Where pictures lie as those with masks do and no mask is a picture, what is missing; else None.

    ``folders`` names also the empty ones, ``others`` are the files that are no pictures.
    """
    empty = [folder for folder in sorted(folders) if _said(basename(folder))[0] == "mask"]
    if not in_one_place(pictures) or not (empty or all(_file(name, {}).role == "image" for name in pictures)):
        return None
    here = dirname(min(pictures))
    called = f"{here}/" if here else "the folder of pictures"
    if not empty:
        return f"{called} has no masks beside it: expected masks/ with PNG files of equal names"
    inside = [name for name in sorted(others) if name.startswith(f"{empty[0]}/")]
    there = f"holds no pictures, but {inside[0]}" if inside else "is empty"
    return f"{empty[0]}/ {there}: expected PNG files with the names of those in {called}"


def masks_in(pictures: Collection[str], stated: Layout | None) -> list[str]:
    """Those that lie in folders of masks, or beside their pictures where ``stated``, ``data.layout``, is ``masks``;
    none where nothing else is there."""
    if stated in ("classes", "splits"):
        return []
    splits = dict(stated) if isinstance(stated, tuple) else {}
    masks = [name for name in sorted(pictures) if _file(name, splits).role == "mask"]
    if not masks and stated == "masks":
        masks = [name for name in sorted(pictures) if _MASK_ENDING.search(_stem(name))]
    return masks if len(masks) < len(pictures) else []


def in_one_place(pictures: Collection[str]) -> bool:
    """Whether the folders of pictures differ by their splits only, so that they cannot be classes."""
    return len({_file(name, {}).keys[0][:-1] for name in pictures}) == 1


def paired(pictures: Collection[str], splits: Mapping[str, SplitName], in_one_folder: bool) -> Paired | None:
    """Pictures (posix paths) with their masks; None where no folder is one of masks.

    ``splits`` says of folders, by their path or name, which split they are, before the words in their names do.
    ``in_one_folder``: masks that lie beside their pictures are known by their names' ending. Raises AssayError for a
    picture with two masks.
    """
    files = [_file(name, splits) for name in sorted(pictures)]
    masks = [file for file in files if file.role == "mask"]
    named = [file for file in files if file.role == "image"]
    if in_one_folder and not masks:
        masks, named = [file for file in files if _MASK_ENDING.search(_stem(file.name))], []
    if not masks:
        return None
    beside = {file.name for file in masks}
    images = named or [file for file in files if file.name not in beside]
    met = _met(images, masks, "mask")
    used = {mask.name for mask in met.values()}
    with_mask = [image for image in images if image.name in met]
    return Paired(
        [Pair(each.name, met[each.name].name, each.split or met[each.name].split or "train") for each in with_mask],
        [image.name for image in images if image.name not in met],
        [mask.name for mask in masks if mask.name not in used],
        bool(named),
        len({image.keys[0][:-1] for image in with_mask}) == 1,
    )


def paired_with(
    pictures: Collection[str], files: Collection[str], splits: Mapping[str, SplitName], what: str
) -> Paired:
    """Pictures with files of the same name that tell ``what`` of them, beside them or in a folder that is called like
    one of masks; pictures in such folders are none where others lie in folders of pictures.

    Raises AssayError for a picture with two such files.
    """
    each = [_file(name, {}) for name in sorted(pictures)]
    images = [file for file in each if file.role == "image"] or [file for file in each if file.role != "mask"]
    told = [replace(file, keys=file.keys[:1]) for file in (_file(name, {}) for name in sorted(files))]
    met = _met(images, told, what)
    used = {file.name for file in met.values()}
    folders = {dirname(name) for name in used}
    splits_of = {name: split_by(name, splits) or split_by(file.name, splits) for name, file in met.items()}
    return Paired(
        [Pair(name, met[name].name, split or "train") for name, split in sorted(splits_of.items())],
        [image.name for image in images if image.name not in met],
        [file.name for file in told if file.name not in used and dirname(file.name) in folders],
        True,
        True,
        what,
    )


def split_by(name: str, splits: Mapping[str, SplitName]) -> SplitName | None:
    """The split of a file by the folders around it; ``splits`` as of ``paired``."""
    return _file(name, splits).split


def _met(images: list[_File], masks: list[_File], what: str) -> dict[str, _File]:
    """Picture → its mask: of the same split and folders, else of the same folders and of any split."""
    met: dict[str, _File] = {}
    by_key: dict[tuple[SplitName | None, Key], list[_File]] = defaultdict(list)
    for mask in masks:
        for key in mask.keys:
            by_key[mask.split, key].append(mask)
    for image in images:
        ways = [(split, key) for key in image.keys for split in dict.fromkeys((image.split, None))]
        found = next((by_key[way] for way in ways if way in by_key), [])
        if len(found) > 1 and found[0].keys[0] == found[1].keys[0]:
            raise AssayError(f"{image.name} has two {what}s, {found[0].name} and {found[1].name}; remove one of them")
        if found:
            met[image.name] = found[0]
    return met


def _but_for_capitals(pictures: Collection[str], masks: Collection[str]) -> dict[str, str]:
    """Picture → mask and mask → picture of those whose names differ by small and capital letters only."""
    known = {key: mask for mask in masks for key in _folded(mask)}
    met = {picture: known[key] for picture in pictures for key in _folded(picture) if key in known}
    return met | {mask: picture for picture, mask in met.items()}


def _folded(name: str) -> list[Key]:
    return [tuple(part.casefold() for part in key) for key in _file(name, {}).keys]


def _file(name: str, splits: Mapping[str, SplitName]) -> _File:
    folders = name.split("/")[:-1]
    role: Role | None = None
    split: SplitName | None = None
    rest = []
    for depth, folder in enumerate(folders, start=1):
        stated = splits.get("/".join(folders[:depth])) or splits.get(folder)
        is_role, is_split = _said(folder)
        role, split = is_role or role, stated or is_split or split
        if not (stated or is_role or is_split):
            rest.append(folder)
    stem = _stem(name)
    stems = dict.fromkeys((stem, _MASK_ENDING.sub("", stem), _IMAGE_ENDING.sub("", stem)))
    if role == "image":
        stems = dict.fromkeys((stem, _IMAGE_ENDING.sub("", stem)))
    return _File(name, role, split, tuple((*rest, each) for each in stems))


def _said(folder: str) -> tuple[Role | None, SplitName | None]:
    """What a folder's name says: a role, a split (``val2017``), or both (``trainannot``, ``images_train``)."""
    plain = re.sub(r"[\W_]+", "", folder.lower())
    for role, word, rest in _roles(plain):
        if plain == word:
            return role, None
        if split := split_called(rest):
            return role, split
    return None, split_called(re.sub(r"\d+$", "", plain))


def _roles(plain: str) -> Iterator[tuple[Role, str, str]]:
    """(role, word, what is left) of every word that a name begins or ends with."""
    roles: tuple[tuple[Role, tuple[str, ...]], ...] = (("mask", MASKS), ("image", IMAGES))
    for role, words in roles:
        for word in words:
            if plain.startswith(word):
                yield role, word, plain.removeprefix(word)
            if plain.endswith(word):
                yield role, word, plain.removesuffix(word)


def _stem(name: str) -> str:
    return unicodedata.normalize("NFC", splitext(basename(name))[0])
