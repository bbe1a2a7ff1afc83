"""The study to run after a ranking: the heads of the backbones that lead it, trained and compared."""

from collections.abc import Sequence
from typing import Any

import yaml

from assay.recipe.data import Layout
from assay.recipe.folder_names import folder_name
from assay.tools.ranking.in_words import is_behind
from assay.tools.ranking.ranking import Ranking

MOST = 4
"""Backbones in the study."""


def leading(found: Ranking) -> list[str]:
    """The first of the ranking and those that do not stand clearly behind it; where all do, the second as well."""
    ranked = [row for row in found.table.iter_rows(named=True) if row["place"] is not None]
    open_to = [row["model"] for row in ranked if row is ranked[0] or not is_behind(row, ranked[0])]
    return (open_to if len(open_to) > 1 else [row["model"] for row in ranked[:2]])[:MOST]


def next_study(
    found: Ranking,
    source: str,
    name: str,
    size: int | Sequence[int] | None = None,
    pretrained: bool = True,
    group: str | None = None,
    layout: Layout | None = None,
) -> str:
    """The study as YAML: on the images of ``source``, a head on each leading backbone, frozen, with three seeds.

    With a single backbone the question is what of it to freeze.
    """
    models = leading(found)
    folders = layout if layout is None or isinstance(layout, str) else dict(layout)
    stated = {"layout": folders, "size": size, "group": group, "validation": found.validation}
    data = {"source": source, **{key: value for key, value in stated.items() if value is not None}}
    base: dict[str, Any] = {
        "data": data | {"on_bad_image": "skip"},
        "model": {"name": models[0], "pretrained": pretrained, "freeze": "backbone"},
        "train": {"epochs": 20, "batch_size": 64, "optimizer": {"name": "adam", "lr": 0.001}, "schedule": "cosine"},
    }
    several = len(models) > 1
    study = {
        "title": f"Which backbone for {name}?" if several else f"What of {models[0]} should stay frozen for {name}?",
        "name": folder_name(f"backbones-{name}"),
        "base": base,
        "vary": {"model.name": models} if several else {"model.freeze": ["backbone", "none"]},
        "seeds": 3,
    }
    return yaml.safe_dump(study, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
