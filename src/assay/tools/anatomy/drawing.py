"""A drawing of a network's paths: boxes from top to bottom, what branches beside each other, skips at the side."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from assay.models.layer_table.window import times
from assay.models.tracing import Graph, Node

MOST = 120
"""Boxes; with more, layers are drawn together by the blocks that they are in."""
FOLDED = re.compile(r"norm|relu|gelu|silu|swish|sigmoid|tanh|elu|dropout|droppath|identity|flatten|softmax", re.I)
"""Kinds that stand in the box of what they follow."""
WIDTH, HEIGHT, ROW, COLUMN, LANE = 244.0, 40.0, 62.0, 264.0, 9.0
"""In pixels."""


@dataclass(frozen=True)
class Box:
    """One or several layers as they are drawn, by the middle of the box."""

    title: str
    kinds: str
    shape: str
    x: float
    y: float

    def caption(self, most: int) -> str:
        """Kinds and shape in about ``most`` letters: the first kind stays, and of the others the last that fit."""
        first, *others = self.kinds.split(" · ")
        told = f"{self.kinds} → {self.shape}" if self.kinds else self.shape
        while len(told) > most and others:
            _, *others = others
            told = f"{' · '.join([first, '…', *others])} → {self.shape}"
        return told


@dataclass(frozen=True)
class Drawing:
    """Boxes, and the paths of the lines between them in the words of SVG."""

    boxes: Sequence[Box]
    lines: Sequence[str]
    width: float
    height: float
    together: bool
    """Whether blocks are drawn in place of layers."""


def draw(graph: Graph) -> Drawing:
    """The boxes of a graph and their places."""
    groups = _folded(graph)
    together = max(groups) >= MOST
    if together:
        deepest = max(node.name.count(".") for node in graph.nodes) + 1
        ways = [_by_block(graph, depth) for depth in range(deepest, 0, -1)]
        groups = next((way for way in ways if max(way) < MOST), ways[-1])
    members: dict[int, list[Node]] = defaultdict(list)
    for node, group in zip(graph.nodes, groups, strict=True):
        members[group].append(node)
    arrows = {(groups[edge.start], groups[edge.end]) for edge in graph.edges}
    arrows = {(start, end) for start, end in arrows if start < end}
    ranks = _ranks(len(members), arrows)
    places = _columns(ranks, arrows)
    edge = max(abs(x) for x in places) + WIDTH / 2 + 2
    skips, lanes = _lanes(ranks, arrows)
    boxes = [_box(members[n], places[n] + edge, ranks[n] * ROW + HEIGHT, together) for n in range(len(members))]
    lines = [_line(boxes[a], boxes[b], skips.get((a, b)), 2 * edge) for a, b in sorted(arrows)]
    return Drawing(boxes, lines, 2 * edge + (lanes + 2) * LANE, (max(ranks) + 1) * ROW + HEIGHT, together)


def _folded(graph: Graph) -> list[int]:
    """The box of each node: a new one, or that of the node before, which nothing else follows."""
    before, behind = defaultdict(list), defaultdict(list)
    for edge in graph.edges:
        before[edge.end].append(edge.start)
        behind[edge.start].append(edge.end)
    groups: list[int] = []
    count = 0
    for n, node in enumerate(graph.nodes):
        (first, *more) = before[n] or [0]
        alone = not more and len(behind[first]) == 1 and first > 0
        if node.is_layer and alone and FOLDED.search(node.kind):
            groups.append(groups[first])
        else:
            groups.append(count)
            count += 1
    return groups


def _by_block(graph: Graph, depth: int) -> list[int]:
    """The box of each node, one for all whose names begin alike."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(".".join(node.name.split(".")[:depth]), len(numbers)) for node in graph.nodes]


def _ranks(count: int, arrows: set[tuple[int, int]]) -> list[int]:
    """The row of each box: below all that lead to it."""
    ranks = [0] * count
    for start, end in sorted(arrows, key=lambda arrow: arrow[1]):
        ranks[end] = max(ranks[end], ranks[start] + 1)
    return ranks


def _columns(ranks: Sequence[int], arrows: set[tuple[int, int]]) -> list[float]:
    """Where each box stands in its row, the middle is 0: in the order of what leads to it, what skips rows last."""
    skipping = {start for start, end in arrows if ranks[end] - ranks[start] > 1}
    places = [0.0] * len(ranks)
    rows: dict[int, list[int]] = defaultdict(list)
    for n, rank in enumerate(ranks):
        rows[rank].append(n)
    for _, row in sorted(rows.items()):
        above = {n: [places[start] for start, end in arrows if end == n] or [0.0] for n in row}
        row.sort(key=lambda n: (sum(above[n]) / len(above[n]), n in skipping, n))
        for place, n in enumerate(row):
            places[n] = (place - (len(row) - 1) / 2) * COLUMN
    return places


def _lanes(ranks: Sequence[int], arrows: set[tuple[int, int]]) -> tuple[dict[tuple[int, int], int], int]:
    """The lane at the side of each arrow that skips a row, short ones inside; and how many there are."""
    skips: dict[tuple[int, int], int] = {}
    taken: list[list[tuple[int, int]]] = []
    for start, end in sorted(arrows, key=lambda arrow: (ranks[arrow[1]] - ranks[arrow[0]], arrow)):
        top, bottom = ranks[start], ranks[end]
        if bottom - top < 2:
            continue
        lane = next((n for n, spans in enumerate(taken) if all(b <= top or a >= bottom for a, b in spans)), len(taken))
        taken[lane:] = taken[lane:] or [[]]
        taken[lane].append((top, bottom))
        skips[start, end] = lane
    return skips, len(taken)


def _box(nodes: Sequence[Node], x: float, y: float, together: bool) -> Box:
    first, last = nodes[0], nodes[-1]
    if together and len(nodes) > 1:
        shared = first.name.split(".")
        depth = min(len(shared), *(sum(a == b for a, b in zip(shared, n.name.split("."), strict=False)) for n in nodes))
        return Box(".".join(shared[:depth]) or first.name, f"{len(nodes)} layers", times(last.shape), x, y)
    title = first.name if first.is_layer or first.kind == "input" else first.kind
    kinds = " · ".join(dict.fromkeys(node.kind for node in nodes if node.is_layer))
    return Box(title, kinds, times(last.shape), x, y)


def _line(start: Box, end: Box, lane: int | None, side: float) -> str:
    """Straight from the bottom of a box to the top of the next, or around by its lane."""
    top, bottom = start.y + HEIGHT / 2, end.y - HEIGHT / 2
    if lane is None:
        return f"M{start.x:g} {top:g}L{end.x:g} {bottom:g}"
    out = side + (lane + 1) * LANE
    return (
        f"M{start.x + WIDTH / 2:g} {start.y:g}H{out - 6:g}Q{out:g} {start.y:g} {out:g} {start.y + 6:g}"
        f"V{end.y - 6:g}Q{out:g} {end.y:g} {out - 6:g} {end.y:g}H{end.x + WIDTH / 2:g}"
    )
