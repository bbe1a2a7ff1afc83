"""Names of classes that a person would take for the same."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from assay.language.script import as_name
from assay.language.speech import say


def alike(names: Iterable[str]) -> list[list[str]]:
    """Names that differ only by Unicode form, case, blanks or ``_`` for a blank: each such family, sorted."""
    families = defaultdict(set)
    for name in names:
        families[_plain(name)].add(name)
    return [sorted(family) for _, family in sorted(families.items()) if len(family) > 1]


def hardly_differ(families: list[list[str]]) -> str:
    """``'Cat' and 'cat'; 'hot dog' and 'hot_dog' differ only by …``: the first families of at least one."""
    shown = say("; ").join(map(_shown, families[:5]))
    more = say(" (and {n:,} more)", n=len(families) - 5) if len(families) > 5 else ""
    return say("{names} differ only by case, blanks, _ or Unicode form", names=shown + more)


def _shown(family: list[str]) -> str:
    """The names, by their code points where they would look the same."""
    looks = {unicodedata.normalize("NFC", name) for name in family}
    return say(" and ").join(as_name(repr(name) if len(looks) == len(family) else ascii(name)) for name in family)


def _plain(name: str) -> str:
    composed = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(composed.replace("_", " ").split())
