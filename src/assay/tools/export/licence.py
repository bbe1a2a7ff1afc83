"""What is known of the licence of a network's weights: nothing is guessed."""

from typing import Any

import timm

from assay.models.catalogue import shelf
from assay.recipe import Recipe

YOURS = "Their licence is for whoever trained them to state, as far as that of the images allows; assay sets none."


def licence(recipe: Recipe, pretrained: dict[str, Any]) -> str:
    """In sentences; ``pretrained`` is what environment.json says was loaded, empty where nothing was."""
    if not pretrained:
        return f"The weights were trained from random ones, on the images above. {YOURS}"
    began = f"The training began from weights of somebody else ({pretrained['origin']})"
    library, _, architecture = shelf(recipe.model).partition("/")
    if recipe.model.pretrained is True and library == "timm":
        config = timm.get_pretrained_cfg(architecture)
        if stated := config and config.to_dict().get("license"):
            return f"{began}, whose licence timm states as {stated}. What it asks for holds for these too."
    return f"{began}, whose licence assay does not know: look it up before these are passed on."
