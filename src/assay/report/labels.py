"""Names on the axes of charts, cut where they are too long, and never so that two of them read alike."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

NARROW = 18
"""Letters of a name where the page is narrow."""
LEGEND = 24
"""Letters of a name in a legend."""
LETTER = 7
"""About so many pixels is a letter wide."""
GUIDES = {"x": "axis", "y": "axis", "color": "legend", "shape": "legend"}


def with_short_names(spec: dict[str, Any], room: int) -> dict[str, Any]:
    """A Vega-Lite specification whose axes (of ``room`` letters) and legends write long names short, in place.

    The parameter ``narrow`` says whether there is less room. The names stay data: values of parameters, never part of
    an expression.
    """
    tables: dict[tuple[tuple[str, ...], int], int] = {}
    for key, channel in named_channels(spec):
        guide, names = channel.get(GUIDES[key], {}), tuple(listed(channel))
        if guide is None:
            continue
        channel[GUIDES[key]] = guide | {"labelLimit": 0}
        if max(map(len, names)) <= NARROW:
            continue
        letters = min(guide.get("labelLimit", room * LETTER) // LETTER, LEGEND if GUIDES[key] == "legend" else room)
        i = tables.setdefault((names, letters), len(tables))
        written = f"(narrow ? narrow_{i} : short_{i})[indexof(names_{i}, datum.label)] || datum.label"
        channel[GUIDES[key]]["labelExpr"] = written
    params = [{"name": "narrow", "value": False}] if tables else []
    for (names, letters), i in tables.items():
        values = {"names": list(names), "short": shortened(names, letters), "narrow": shortened(names, NARROW)}
        params += [{"name": f"{name}_{i}", "value": value} for name, value in values.items()]
    return spec | {"params": [*spec.get("params", []), *params]} if params else spec


def named_channels(spec: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The channels, here and in layers, that write names, in an order that the chart states."""
    for key in GUIDES:
        channel = spec.get("encoding", {}).get(key, {})
        if channel.get("type") == "nominal" and listed(channel):
            yield key, channel
    for layer in spec.get("layer", []):
        yield from named_channels(layer)


def listed(channel: dict[str, Any]) -> Sequence[str]:
    """Its names."""
    stated = channel.get("scale", {}).get("domain") or channel.get("sort")
    return [name for name in stated if isinstance(name, str)] if isinstance(stated, list) else []


def shortened(names: Sequence[str], room: int) -> list[str]:
    """Every name in at most ``room`` letters: all cut at the end, or in the middle, or around what tells them apart.

    Where two would read alike in each of these ways, all have as much more room as tells them apart.
    """
    parted = where_they_part(names)
    for letters in range(room, max(map(len, names), default=0) + 1):
        for cut in (_at_the_end, _in_the_middle, _around):
            found = [name if len(name) <= letters else cut(name, letters, parted[name]) for name in names]
            if len(set(found)) == len(set(names)):
                return found
    return list(names)


def where_they_part(names: Sequence[str]) -> dict[str, int]:
    """Of each name, how many letters it begins with as another does."""
    inorder = sorted(set(names))
    shared = [0, *(_alike(*pair) for pair in pairwise(inorder)), 0]
    return {name: max(before, after) for name, (before, after) in zip(inorder, pairwise(shared), strict=True)}


def _alike(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


def _at_the_end(name: str, letters: int, parted: int) -> str:
    return name[: letters - 1].rstrip() + "…"


def _in_the_middle(name: str, letters: int, parted: int) -> str:
    tail = (letters - 1) // 2
    return f"{name[: letters - 1 - tail].rstrip()}…{name[-tail:].lstrip()}"


def _around(name: str, letters: int, parted: int) -> str:
    begin = min(parted - letters // 2, len(name) - letters + 1)
    if begin <= 1:
        return _at_the_end(name, letters, parted)
    end = begin + letters - 2
    return f"…{name[begin:end].strip()}…" if end + 1 < len(name) else f"…{name[begin:].lstrip()}"
