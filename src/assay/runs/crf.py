"""``predict.crf: tune``: the settings of the field, or none, by the likelihood of validation pictures."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from assay.after.around import around
from assay.data import ImageData
from assay.recipe import CrossEntropy, Predict, Recipe
from assay.recipe.crf import Crf
from assay.system.files import read_object
from assay.tasks import catalogue
from assay.tasks.predicting import predict, scores

FILE = "crf.json"
"""In the folder of a run: what was chosen, and what each of the settings came to."""
GRID = tuple(Crf(bilateral=b, position=p, color=c) for b, p, c in product((1.0, 3.0), (20.0, 40.0), (5.0, 10.0)))
"""What is tried beside none."""
PICTURES = 50
"""Of the validation pictures, at most so many, evenly spread, are asked."""


def choice(recipe: Recipe, network: nn.Module, data: ImageData, device: torch.device) -> dict[str, Any]:
    """``chosen``, the settings or None, ``tried`` with the mean negative log-likelihood of a known pixel, in nats, of
    each, and from how many ``pictures``.

    A function of weights and data alone: a run that goes on after it was stopped chooses the same. Of equals the first
    is taken, and the first is none.
    """
    every = data.indices["validation"]
    asked = every[np.linspace(0, len(every) - 1, min(PICTURES, len(every))).round().astype(int)]
    few = replace(data, indices={"validation": asked})

    def loss(crf: Crf | None) -> float:
        network_with = around(network, with_crf(recipe.predict, crf), data.mean.tolist(), data.std.tolist())
        said = predict(catalogue.task(recipe.task), network_with, few, "validation", CrossEntropy(), device)
        return scores(said, ["loss"])["loss"]

    tried: list[tuple[Crf | None, float]] = [(crf, loss(crf)) for crf in (None, *GRID)]
    best, _ = min(tried, key=lambda one: one[1])
    told = [{"crf": _plain(crf), "loss": value} for crf, value in tried]
    return {"chosen": _plain(best), "tried": told, "pictures": len(asked)}


def with_choice(recipe: Recipe, run: Path) -> Recipe:
    """The recipe with what its run has chosen in the place of ``tune``."""
    if recipe.predict.crf != "tune":
        return recipe
    chosen = read_object(run / FILE)["chosen"]
    crf = None if chosen is None else Crf.model_validate(chosen)
    return recipe.model_copy(update={"predict": with_crf(recipe.predict, crf)})


def with_crf(asked: Predict, crf: Crf | None) -> Predict:
    """The same with another field."""
    return asked.model_copy(update={"crf": crf})


def in_words(found: dict[str, Any]) -> str:
    """What was chosen, as a line of the log and of what ``assay predict`` says."""
    losses = {str(one["crf"]): one["loss"] for one in found["tried"]}
    without, best = losses["None"], losses[str(found["chosen"])]
    if found["chosen"] is None:
        return f"predict.crf: none of {len(losses) - 1} settings is likelier than no field on {_pictures(found)}"
    settings = ", ".join(f"{key} {found['chosen'][key]:g}" for key in Crf.model_fields)
    return (
        f"predict.crf: {settings}; the negative log-likelihood of a pixel falls from {without:.4f} to {best:.4f} on "
        f"{_pictures(found)}"
    )


def _pictures(found: dict[str, Any]) -> str:
    return f"{found['pictures']:,} validation pictures"


def _plain(crf: Crf | None) -> dict[str, Any] | None:
    return None if crf is None else crf.model_dump()
