"""Where the images come from, how they are split, and what happens to them on the way to the network."""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, PlainSerializer, PositiveInt, model_validator

from assay.recipe.augment import MIXES, Augmentation, Crop, Mosaic
from assay.recipe.packed import Split, packed
from assay.recipe.packed import SplitName as SplitName
from assay.recipe.section import Amount, Pattern, Positive, Section
from assay.recipe.tasks import Target


class Normalization(Section):
    """A mean and a deviation for every channel, of pixels in 0…1."""

    mean: tuple[float, ...]
    """What is taken from each channel."""
    std: tuple[Positive, ...]
    """What it is then divided by."""


Balance = Literal["none", "oversample", "undersample"]
Fit = Literal["stretch", "letterbox", "pad"]
Truth = Literal["boxes"]


def _layout(value: Any) -> Any:
    if value is None or isinstance(value, tuple) or value in ("classes", "splits", "masks"):
        return value
    splits = get_args(SplitName)
    if not isinstance(value, Mapping) or not value or not all(split in splits for split in value.values()):
        raise ValueError(
            "expected classes, splits, masks, or folders with the split that each is, train, validation or test, "
            "as {fold_0: train, fold_1: test}"
        )
    if "train" not in value.values():
        raise ValueError("expected a folder to train on, as {fold_0: train}")
    return tuple(sorted((str(folder).strip("/"), split) for folder, split in value.items()))


Layout = Annotated[
    Literal["classes", "splits", "masks"] | tuple[tuple[str, SplitName], ...],
    PlainSerializer(lambda layout: layout if isinstance(layout, str) else dict(layout)),
]
"""What the folders of a source are: ``classes``, ``splits`` with classes in them, pictures and their ``masks``, or
(folder, split), sorted; in a file a mapping."""


def _ignore(value: Any) -> Any:
    if value is None:
        return None
    each = value if isinstance(value, list | tuple) else [value]
    whole = [one for one in each if isinstance(one, int) and not isinstance(one, bool) and 0 <= one <= 255]
    names = [one for one in each if isinstance(one, str) and one]
    if not each or len(whole) + len(names) < len(each):
        raise ValueError("expected the name of a class or its value in the masks, 0 to 255, or a list of these")
    return *sorted(set(whole)), *sorted(set(names))


Ignore = Annotated[
    tuple[int | str, ...],
    PlainSerializer(lambda ignore: ignore[0] if len(ignore) == 1 else list(ignore)),
]
"""Names of classes, or the values that they have in masks; in a file one of them or a list."""


def _shares(value: Any) -> Any:
    if value is None or isinstance(value, tuple):
        return value
    shares = dict(_by_class(value)) if isinstance(value, dict) else {}
    numbers = [isinstance(share, int | float) and not isinstance(share, bool) for share in shares.values()]
    if not isinstance(value, dict) or not all(numbers) or not all(0 < share <= 1 for share in shares.values()):
        raise ValueError("expected names of classes with a share above 0 and at most 1 each, as {cat: 0.1}")
    return tuple(sorted((name, float(share)) for name, share in shares.items())) or None


def _by_class(shares: dict[Any, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """(class, share); a class called ``1.cat``, whose dotted key has made it ``cat`` in a section ``1``, in one."""
    for name, share in shares.items():
        if isinstance(share, dict):
            yield from _by_class(share, f"{before}{name}.")
        else:
            yield f"{before}{name}", share


Shares = Annotated[tuple[tuple[str, float], ...], PlainSerializer(dict)]
"""(class, share), sorted; in a file a mapping."""


COLUMNS: dict[Target, str] = {"labels": "label", "values": "targets", "tags": "tags"}
"""What is true of an image → the key of ``Data`` that names its columns in the table."""


def _columns(value: Any) -> Any:
    """A name, or a list of different ones."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError("expected the name of a column, or a list of names")
    if len(set(names)) < len(names):
        raise ValueError("expected different columns, one is listed twice")
    return value if isinstance(value, str) else tuple(names)


def _listed(value: Any) -> Any:
    names = _columns(value)
    return (names,) if isinstance(names, str) else names


def _range(value: Any) -> Any:
    if value in ("full", "data"):
        return value
    numbers = list(value) if isinstance(value, list | tuple) else []
    is_pair = len(numbers) == 2 and all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers)
    if not is_pair or not -math.inf < numbers[0] < numbers[1] < math.inf:
        raise ValueError("expected full, data, or the values that become black and white, as [0, 1023]")
    return tuple(map(float, numbers))


Column = Annotated[str | None, Field(default=None, min_length=1, exclude_if=lambda name: name is None)]
"""The name of a column of the table; the keys of a table came late, and are not written out where there is none."""


class Data(Section):
    """Where the images come from, how they are split, and what happens to them on the way to the network."""

    source: str
    """A name (``assay list data``), or the path of a folder or zip."""
    layout: Annotated[Layout | None, BeforeValidator(_layout)] = Field(
        default=None, exclude_if=lambda layout: layout is None
    )
    """How the folders are read; None: by their names, and refused where these could mean either."""
    ignore: Annotated[Ignore | None, BeforeValidator(_ignore)] = Field(
        default=None, exclude_if=lambda ignore: ignore is None
    )
    """Classes of masks that are void: neither learned nor measured, as what has no class is not."""
    truth: Truth | None = Field(default=None, exclude_if=lambda truth: truth is None)
    """What is read where masks lie beside boxes; None: the masks. A task of boxes sets it."""
    table: str | None = Field(default=None, min_length=1, exclude_if=lambda path: path is None)
    """A CSV, TSV or Parquet file that tells what is true of the pictures: inside the source, beside it, or a path."""
    image: Column = None
    """Names the pictures, or has them; None: the first of some usual names that is there."""
    label: Column = None
    """One class an image; of a source in columns, whatever that column tells."""
    targets: Annotated[tuple[str, ...] | None, BeforeValidator(_listed)] = Field(
        default=None, exclude_if=lambda columns: columns is None
    )
    """A number an image each."""
    tags: Annotated[str | tuple[str, ...] | None, BeforeValidator(_columns)] = Field(
        default=None, exclude_if=lambda columns: columns is None
    )
    """Columns of 0 and 1, a class each; or one column of lists."""
    split: Split = None
    """Says which rows are the source's own training, validation and test split: a column, or of a source in columns
    its parts."""
    size: PositiveInt | tuple[PositiveInt, PositiveInt] | None = None
    """Height and width in pixels (one number: square); None keeps the source's own."""
    fit: Fit = Field(default="stretch", exclude_if=lambda fit: fit == "stretch")
    """How a picture comes to that size: stretched; the ratio of its sides kept, in the middle of a black canvas (a gray
    one where pictures have boxes); or so, and never enlarged, on a canvas that without a size is as high and wide as
    the largest need it."""
    color: Literal["gray", "rgb"] | None = None
    """None keeps the source's own."""
    range: Annotated[Literal["full", "data"] | tuple[float, float], BeforeValidator(_range)] = Field(
        default="data", exclude_if=lambda value: value == "data"
    )
    """Of pictures with more than 8 bits a value: which values become 0 and 255. Those that occur in the source's
    training images, all that 16 bits hold, or by numbers; pictures of 8 bits are left as they are."""
    train: Amount = 1.0
    """How much of the training split is used: a share of every class, or a number of images, shared out evenly over the
    classes as far as they go. Validation is cut from it."""
    validation: Amount | None = None
    """None: the source's own validation split where it has one, else 0.1. An amount is cut as if it had none: its own
    is part of the training split."""
    validation_from: Literal["train", "test"] = "train"
    """The split from which validation images are cut."""
    test: Amount | None = None
    """How much of the test split is used; of a source without one, how much is held out (0.2)."""
    split_seed: int = 0
    """Governs what is cut from or into the test split: the same for every seed of a study."""
    group: Pattern | None = Field(default=None, exclude_if=lambda group: group is None)
    """Searched in the file name; its first group, else all it matches, names the original. All copies of an original
    stay on one side of every cut. None, every picture for itself, is not written out: the key came later, and the
    recipes without it are still the same."""
    group_across: Literal["refused", "allowed"] = Field(
        default="refused", exclude_if=lambda across: across == "refused"
    )
    """Whether the source's own split may have copies of one original on both sides: then how many is told."""
    imbalance: Annotated[Shares | None, BeforeValidator(_shares)] = Field(
        default=None, exclude_if=lambda shares: shares is None
    )
    """Class → the share of its training images that is kept; the validation images are cut from what is kept."""
    balance: Balance = Field(default="none", exclude_if=lambda balance: balance == "none")
    """Every epoch has as many training images of each class: of the largest, or of the smallest."""
    augment: tuple[Augmentation, ...] = ()
    """Random changes of the training images."""
    crop: Crop | None = Field(default=None, exclude_if=lambda crop: crop is None)
    """Masks are learned from random windows of the images; validation and test images are seen whole."""
    mosaic: Mosaic | None = Field(default=None, exclude_if=lambda mosaic: mosaic is None)
    """Boxes or masks are learned from four pictures in one, in the first epochs."""
    augment_views: PositiveInt | None = Field(default=None, exclude_if=lambda views: views is None)
    """Under a frozen backbone, how many augmented views of a training image there are: their features are kept."""
    normalize: Literal["unit", "symmetric", "standard", "model"] | Normalization = "standard"
    """Pixels to 0…1, to −1…1, to mean 0 and deviation 1 per channel over the training images, as the network off the
    shelf expects them (its default), or by numbers."""
    on_bad_image: Literal["fail", "skip"] = "fail"
    """``skip`` leaves unreadable images out, and lists them in the report."""

    @model_validator(mode="after")
    def _table_is_told_what_to_read(self) -> "Data":
        told = [key for key in COLUMNS.values() if getattr(self, key) is not None]
        if packed(self.source):
            if self.table is not None:
                raise ValueError(f"table goes with a folder or zip of pictures, and {self.source} has its own columns")
        elif self.table is None:
            for key in (*told, *(key for key in ("image", "split") if getattr(self, key) is not None)):
                raise ValueError(f"{key} names a column of a table, and the key table is missing")
        elif not told:
            raise ValueError("table needs the key label, targets or tags, which names what it tells of an image")
        elif isinstance(self.split, tuple):
            raise ValueError("split names parts of a source, and a table has a column that says it; name that column")
        if len(told) > 1:
            raise ValueError(f"{told[0]} and {told[1]} exclude each other: one kind of thing is true of an image")
        return self

    @model_validator(mode="after")
    def _folders_are_read_without_a_table(self) -> "Data":
        if self.layout is not None and self.table is not None:
            raise ValueError("layout says how folders are read, and with a table they mean nothing; leave one out")
        if self.ignore is not None and self.table is not None:
            raise ValueError("ignore names classes of masks, and a table tells of whole images; leave one out")
        return self

    @model_validator(mode="after")
    def _columns_are_read_without_folders(self) -> "Data":
        if packed(self.source) and self.layout is not None:
            raise ValueError(f"layout says how folders are read, and {self.source} has parts: name them in split")
        return self

    @model_validator(mode="after")
    def _groups_are_stated(self) -> "Data":
        if self.group_across == "allowed" and self.group is None:
            raise ValueError("group_across is of the originals that the key group names, and it is missing")
        return self

    @model_validator(mode="after")
    def _views_are_of_single_images(self) -> "Data":
        mixes = [step.name for step in self.augment if step.name in MIXES]
        if self.augment_views and self.crop:
            raise ValueError("augment_views keeps features of whole images, and crop shows parts; leave one out")
        if self.augment_views and self.mosaic:
            raise ValueError("augment_views keeps features of single images; leave mosaic out")
        if self.crop and self.mosaic:
            raise ValueError("crop shows parts of single images, and mosaic four in one; leave one out")
        if self.augment_views and mixes:
            raise ValueError(f"augment_views keeps features of single images; leave {mixes[0]} out")
        return self

    @property
    def told(self) -> Target | None:
        """What the columns that are named tell of an image; None without them, and where only the source knows."""
        told = next((kind for kind, key in COLUMNS.items() if getattr(self, key) is not None), None)
        return None if told == "labels" and packed(self.source) else told
