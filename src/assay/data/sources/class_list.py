"""The list of classes that lies beside masks: their names, and the value or the colour that each has in a mask.

``classes.txt``, ``codes.txt``, ``class_dict.csv``, ``label_colors.txt`` or ``labelmap.txt``; a class a line, as
``index name R G B``, ``index name``, ``name R G B``, ``R G B name`` or ``name``, parted by blanks, tabs, commas or
colons. A number may follow the name instead: it is the index where all lines have another one, and other names before
it. Without an index the line's number, from 0, is the value.
"""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from posixpath import basename

from assay.data.sources.tree import Tree
from assay.errors import AssayError

FILES = ("classes.txt", "codes.txt", "class_dict.csv", "label_colors.txt", "labelmap.txt")
MOST = 255
"""Classes, for 255 is void."""
VOID_NAMES = ("void", "unlabelled", "unlabeled", "ignore", "ignored", "unknown", "undefined", "unannotated")
Colour = tuple[int, int, int]

_NUMBERS = r"\d{1,3}[\s,:;]+\d{1,3}[\s,:;]+\d{1,3}"
_LINES = (
    re.compile(rf"(?P<colour>{_NUMBERS})[\s,:;]+(?P<name>\D.*?)[\s,:;]*"),
    re.compile(rf"(?:(?P<value>\d+)[\s,:;]+)?(?P<name>\S.*?)(?:[\s,:;]+(?P<colour>{_NUMBERS}))?[\s,:;]*"),
)
_INDEX_LAST = re.compile(r"(?P<name>\D.*?)[\s,:;]+(?P<value>\d+)")
_HEADING = re.compile(
    r"(index|id|class|name|label|value)\w*([\s,:;]+(index|id|class|name|label|value|r|g|b)\w*)+", re.I
)


@dataclass(frozen=True)
class ClassList:
    """What the classes of a set of masks are called, and how each is drawn."""

    where: str
    """The file, as an error names it."""
    names: tuple[str, ...]
    values: tuple[int, ...]
    """In a mask of values."""
    colours: tuple[Colour, ...] | None = None
    """In a mask of colours; None where the list has none."""
    palette: tuple[Colour, ...] | None = None
    """How the classes are drawn by custom, where the masks hold values."""

    @property
    def has_grays(self) -> bool:
        """Whether each class has a colour, and all of these are gray."""
        return self.colours is not None and all(len(set(colour)) == 1 for colour in self.colours)

    @property
    def shown(self) -> tuple[Colour, ...] | None:
        """What the classes are drawn in: the colours that are stated, unless all are gray and hence values."""
        return self.palette if self.has_grays else self.colours or self.palette


def class_list(tree: Tree) -> ClassList | None:
    """The list in a folder or zip, the one least deep in it; None where there is none.

    Raises:
        AssayError: it cannot be read, lists fewer than two or more than 255 classes, or one twice.
    """
    found = sorted(list_files(tree.others), key=lambda name: (name.count("/"), FILES.index(basename(name).lower())))
    if not found:
        return None
    try:
        text = tree.read(found[0]).decode("utf-8-sig")
    except Exception as error:  # whatever a damaged zip meets
        raise AssayError(f"{found[0]} of {tree.where} cannot be read ({error}); expected text in UTF-8") from error
    return parsed(found[0], text)


def is_void(name: str) -> bool:
    """Whether a class is called as if it were none; it is void only where ``data.ignore`` says so."""
    return name.lower().strip("_- ") in VOID_NAMES


def list_files(names: Collection[str]) -> list[str]:
    """Those that are called like a list of classes."""
    return [name for name in names if basename(name).lower() in FILES]


def parsed(where: str, text: str) -> ClassList:
    """The classes that a file ``where`` lists. Raises AssayError as ``class_list``."""
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if lines and _HEADING.fullmatch(lines[0]):
        del lines[0]
    rows = [_row(where, line) for line in lines]
    stated = [(name, value) for name, value, _ in rows]
    numbered = _index_last(stated) or stated
    names = [name for name, _ in numbered]
    values = [number if value is None else value for number, (_, value) in enumerate(numbered)]
    if not 2 <= len(names) <= MOST:
        most = f"; a mask of 8 bits tells at most {MOST} apart" if len(names) > MOST else ""
        raise AssayError(f"{where} lists {len(names):,} classes, expected 2 to {MOST}{most}")
    for what, each in (("class", Counter(names)), ("value", Counter(values))):
        if twice := [one for one, times in each.items() if times > 1]:
            raise AssayError(f"{where} lists the {what} {twice[0]!r} twice")
    whole = tuple(colour for _, _, colour in rows if colour is not None)
    if whole and len(whole) < len(names):
        raise AssayError(f"{where} gives {len(whole):,} of {len(names):,} classes a colour; expected all or none")
    return ClassList(where, tuple(names), tuple(values), whole or None)


def _index_last(stated: Sequence[tuple[str, int | None]]) -> list[tuple[str, int | None]] | None:
    """Names with the numbers that they end in; None where these belong to the names (``floor 1``, ``floor 2``)."""
    ends = [_INDEX_LAST.fullmatch(name) for name, value in stated if value is None]
    found = [(end["name"], int(end["value"])) for end in ends if end]
    names, values = {name for name, _ in found}, {value for _, value in found}
    if len(names) < len(stated) or len(values) < len(stated) or max(values, default=0) > 255:
        return None
    return list(found)


def _row(where: str, line: str) -> tuple[str, int | None, Colour | None]:
    match = next((found for form in _LINES if (found := form.fullmatch(line))), None)
    said = match.groupdict() if match else {}
    name, value, colour = said.get("name"), said.get("value"), said.get("colour")
    if not name:
        raise AssayError(f"{where}: found {line!r}, expected a class as 'index name R G B' or as its name alone")
    parts = [int(part) for part in re.findall(r"\d+", colour or "")]
    if any(part > 255 for part in parts) or (value is not None and int(value) > 255):
        raise AssayError(f"{where}: found {line!r}, expected an index and colours of at most 255")
    return name, None if value is None else int(value), (parts[0], parts[1], parts[2]) if parts else None
