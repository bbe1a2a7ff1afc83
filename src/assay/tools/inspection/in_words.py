"""Counts, shares and names as sentences have them."""

from collections.abc import Sequence

from assay.language.script import as_name
from assay.language.speech import plural, say

NAMED = 5


def share(part: int, whole: int) -> str:
    """``3.1 %``; with two digits below one percent."""
    percent = 100 * part / max(whole, 1)
    return f"{percent:.2f} %" if 0 < percent < 1 else f"{percent:.1f} %"


def images_text(n: int) -> str:
    """``1 image``, ``2,065 images``."""
    return plural("{n:,} image", "{n:,} images", n)


def tested_text(n: int) -> str:
    """``1 test image``, ``2,065 test images``."""
    return plural("{n:,} test image", "{n:,} test images", n)


def pairs_text(n: int) -> str:
    """``1 pair``, ``12 pairs``."""
    return plural("{n:,} pair", "{n:,} pairs", n)


def named(names: Sequence[str]) -> str:
    """The first five names, and how many more there are."""
    return listed([as_name(name) for name in names])


def listed(parts: Sequence[str]) -> str:
    """The first five parts, and how many more there are."""
    text, more = say(", ").join(parts[:NAMED]), len(parts) - NAMED
    return say("{names} and {n:,} more", names=text, n=more) if more > 0 else text
