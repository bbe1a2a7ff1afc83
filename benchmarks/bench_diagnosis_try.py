"""What ``assay diagnose --try`` is worth: healthy rates, and rates planted too high and too low, tried at ten to the k.

Twelve of each on three sets of images, as in ``bench_diagnosis``; digits chose the share. About three minutes on one
core; ``--keep FILE`` writes the losses, and ``--read FILES`` reads them.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from bench_diagnosis import CPU
from benchmark import fashion_mnist
from diagnosis_recipes import SETS, faulty, healthy

from assay.data import load
from assay.models.catalogue import complete
from assay.recipe import Recipe
from assay.tools.diagnosis.trying import Tried, try_rates

KINDS = {"": "", "exploded": "too high", "rate too low": "too low"}
"""What is planted → what should be said."""


def chosen(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What should be said, and the recipe."""
    first = [one for one in healthy(name) if one.recipe["seed"] == 0]
    own = [one for one in first if "schedule" in one.recipe["train"]]
    usual = [one for one in own if one.recipe["train"]["optimizer"]["lr"] in (0.001, 0.1, 0.02)]
    for one in [one for one in usual if one.recipe["train"]["optimizer"]["name"] != "rmsprop"]:
        yield "", one.recipe
    for one in faulty(name):
        if one.fault and one.fault in KINDS:
            yield KINDS[one.fault], one.recipe


def tried(name: str, root: Path) -> Iterator[dict[str, Any]]:
    """Each with its losses, as JSON has it."""
    for should, values in chosen(name):
        recipe = complete(Recipe.model_validate(values))
        found = try_rates(recipe, load(recipe.data, 0, root), CPU)
        losses = {str(rate): loss for rate, loss in found.losses.items()}
        known = {"rate": found.rate, "epochs": found.epochs, "start": found.start, "losses": losses}
        yield {"data": name, "should": should, **known}


def said(row: dict[str, Any]) -> str:
    """Too high, too low, or nothing."""
    losses = {float(rate): float(loss) for rate, loss in row["losses"].items()}
    return Tried(row["rate"], row["epochs"], row["start"], losses).word


def main() -> None:
    """Try or read, and print how often what is said."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, metavar="FILE")
    parser.add_argument("--read", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.read:
        rows = [json.loads(line) for path in asked.read for line in path.read_text().splitlines()]
    else:
        root, rows = fashion_mnist(), []
        for name in asked.sets:
            for row in tried(name, root):
                rows.append(row)
                print(name, row["should"] or "healthy", said(row) or "nothing", file=sys.stderr)
    if asked.keep:
        asked.keep.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in dict.fromkeys(row["data"] for row in rows):
        for should in KINDS.values():
            own = [said(row) for row in rows if (row["data"], row["should"]) == (name, should)]
            counts = {word or "nothing": own.count(word) for word in KINDS.values()}
            print(f"{name:16}{should or 'healthy':10}", ", ".join(f"{word} {count}" for word, count in counts.items()))


if __name__ == "__main__":
    main()
