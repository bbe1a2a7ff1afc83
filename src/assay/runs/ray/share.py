"""What each run may take of a cluster, and how many a node trains at once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from assay.runs.at_once import Jobs
from assay.runs.ray.cluster import Node


@dataclass(frozen=True)
class Share:
    """Of one run."""

    threads: int
    memory: int
    """Bytes; 0 where it trains on a card."""
    per_card: int = 0
    """Runs on a card at once; 0: none has a card."""

    @property
    def cards(self) -> float:
        """The part of a card, in the steps of a ten-thousandth that Ray knows."""
        return math.floor(10_000 / self.per_card) / 10_000 if self.per_card else 0.0

    def slots(self, node: Node) -> int:
        """How many runs a node trains at once."""
        of_cores = node.cores // self.threads
        if self.per_card:
            return min(of_cores, node.cards * self.per_card)
        return min(of_cores, node.memory // self.memory)


def share(jobs: Jobs, left: int, nodes: Sequence[Node], threads: int | None, memory: int, on_cards: bool) -> Share:
    """Of each of ``left`` runs, ``jobs`` at once; ``auto``: as many as have a card, or a core, of their own.

    ``threads`` are those that the study was begun with, ``memory`` what a run needs on the processor; with ``on_cards``
    runs take cards where the cluster has some, and nodes without cards then train nothing.
    """
    with_cards = [node for node in nodes if node.cards] if on_cards else []
    if with_cards:
        cards = sum(node.cards for node in with_cards)
        per_card = 1 if jobs == "auto" else -(-jobs // cards)
        each = min(node.cores // (node.cards * per_card) for node in with_cards)
        return Share(threads or max(1, each), 0, per_card)
    able = [node for node in nodes if node.cores]
    wanted = left if jobs == "auto" else min(jobs, left)
    each = sum(node.cores for node in able) // max(1, wanted)
    return Share(threads or max(1, min([each, *(node.cores for node in able)])), memory)
