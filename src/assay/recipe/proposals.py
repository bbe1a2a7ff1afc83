"""Where R-CNN looks for objects, and which of these regions it learns from in a step."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from assay.recipe.section import Section


class Proposals(Section):
    """Selective search (Uijlings et al., IJCV 2013), as OpenCV has it."""

    mode: Literal["fast", "single", "quality"] = "fast"
    """How many colour spaces, scales and ways of joining regions are tried; ``single`` fewest, ``quality`` most."""
    scale: Annotated[float, Field(gt=0, le=4)] = 1.0
    """The search sees the canvas enlarged or reduced by this factor."""
    most: PositiveInt = 2_000
    """Regions an image; of more, so many are drawn."""


class Samples(Section):
    """Regions of a batch that a step learns from (Girshick et al., arXiv:1311.2524, section 2.3)."""

    positive: PositiveInt = 32
    """At most, of those that overlap a box by half or more."""
    background: PositiveInt = 96
    """At most, of all others."""
