"""What machines must have in common to share a study: assay's version, and the images to the last pixel."""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import AssayError
from assay.recipe import Recipe
from assay.system import files
from assay.system.files import read_object

if TYPE_CHECKING:
    from assay.data import ImageSet

FILE = "likeness.json"
"""Its name in the study's folder, where the study was prepared for other machines."""
_BLOCK = 2**24
"""Bytes of pixels that are hashed at once."""


@dataclass(frozen=True)
class Likeness:
    """What one machine has."""

    assay: str
    images: dict[str, str]
    """A digest of what a recipe says of its data → the SHA-256 of the images that it names there."""


def likeness(recipes: Iterable[Recipe], root: Path) -> Likeness:
    """What this machine has for ``recipes``; AssayError where it lacks images, StudyStopped where they find no room."""
    from assay.data import open_images

    asked = {hashlib.sha256(repr(recipe.data).encode()).hexdigest()[:16]: recipe.data for recipe in recipes}
    known: dict[str, str] = {}
    found = {}
    for key, data in asked.items():
        images = open_images(data, root)
        entry = images.identity or key
        found[key] = known[entry] = known.get(entry) or images_hash(images)
    return Likeness(version("assay-studies"), found)


def images_hash(images: "ImageSet") -> str:
    """SHA-256 of all that is learned from: names, what is true of each, classes, tests, pixels."""
    lines = (f"{images.targets.line(i)} {name}\n" for i, name in enumerate(images.names))
    text = "".join(lines) + repr((images.classes, images.pixels.shape))
    sha = hashlib.sha256(text.encode(errors="surrogateescape") + images.is_test.tobytes())
    sha.update(b"" if images.is_validation is None else images.is_validation.tobytes())
    step = max(1, _BLOCK // max(1, images.pixels[:1].nbytes))
    for start in range(0, len(images.pixels), step):
        sha.update(images.pixels[start : start + step].tobytes())
    return sha.hexdigest()


def refuse_version(asked: str, there: str | None, where: str) -> None:
    """Raise AssayError where the machine ``where`` has another assay, or (None) has none."""
    if there != asked:
        has = "has no assay" if there is None else f"has assay {there}"
        raise AssayError(f"{where} {has}, and the study was prepared with {asked}; install that version there")


def refuse_unlike(asked: Likeness, there: Likeness, where: str) -> None:
    """Raise AssayError where the machine ``where`` differs from what the study was prepared with."""
    refuse_version(asked.assay, there.assay, where)
    if any(there.images.get(key) != known for key, known in asked.images.items()):
        raise AssayError(
            f"{where} has other images than the study was prepared with: names, labels or pixels differ; "
            "copy the data anew, or prepare the study again"
        )


def keep(folder: Path, found: Likeness) -> None:
    """Write down in the study's folder what other machines are to have."""
    files.write_json(folder / FILE, asdict(found))


def kept(folder: Path) -> Likeness | None:
    """What was written down; None where the study was not prepared for other machines."""
    path = folder / FILE
    values = read_object(path, missing={})
    try:
        return Likeness(**values) if values else None
    except TypeError:
        raise AssayError(f"{path}: expected assay and images; prepare the study again") from None
