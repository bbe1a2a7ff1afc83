"""What a study compares: its base recipe with one combination of levels."""

from dataclasses import dataclass
from typing import Any

from assay.recipe import Recipe


@dataclass(frozen=True)
class Variant:
    """The base recipe with one combination of levels."""

    name: str
    folder: str
    """The name with what a file system refuses replaced."""
    levels: dict[str, Any]
    """Dotted key → level, for every factor of the study."""
    recipe: Recipe
    """With seed 0; ``with_seed`` gives the recipe of a run."""

    def with_seed(self, seed: int) -> Recipe:
        """The recipe of this variant's run with ``seed``."""
        return self.recipe.model_copy(update={"seed": seed})
