"""What happens to a network's answers once it is trained."""

from pydantic import Field

from assay.recipe.section import Section


class Predict(Section):
    """What answers for a trained network: the final predictions, those of new pictures, what measures them.

    Every key is left out of the dump where it asks for nothing, so that a later key changes no earlier recipe.
    """

    flip: bool = Field(default=False, exclude_if=lambda flip: not flip)
    """The mean of the outputs for a picture and for its mirror image."""

    @property
    def asks(self) -> bool:
        """Whether anything but the network itself answers."""
        return self != Predict()
