"""The network and what is done to it before training."""

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from assay.recipe.section import Expected, Section, Strict, pair

HEAD_LAYERS = {
    "average_pool": "the mean over height and width, where the backbone has not pooled already; only as the first",
    "dense": "this many neurons with ReLU: {dense: 256}",
    "batch_norm": "batch normalisation",
    "dropout": "this share is dropped: {dropout: 0.5}",
}
"""Name → what it is."""


ON_BACKBONES = ("detector", "rcnn")
"""Networks of assay's own that stand on a backbone of a library."""


class HeadLayer(Section):
    """One layer of a head: ``batch_norm`` or ``{dense: 256}``."""

    name: str
    """``dense``, ``dropout``, ``batch_norm`` or ``average_pool``."""
    amount: float | int | None = None
    """Outputs of ``dense``, share of ``dropout``."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return pair(value, "layer of a head", HEAD_LAYERS, "a name such as batch_norm, or a pair such as {dense: 256}")

    @model_validator(mode="after")
    def _amount_fits(self) -> "HeadLayer":
        amount = self.amount
        if self.name == "dense" and not (isinstance(amount, int) and amount >= 1):
            raise ValueError(f"dense: found {amount!r}, expected a whole number of neurons: {{dense: 256}}")
        if self.name == "dropout" and not (amount is not None and 0 <= amount < 1):
            raise ValueError(f"dropout: found {amount!r}, expected at least 0 and less than 1: {{dropout: 0.5}}")
        if self.name in ("average_pool", "batch_norm") and amount is not None:
            raise ValueError(f"{self.name} takes no amount, found {amount!r}")
        return self


def _keyword(value: Any) -> Any:
    alone = isinstance(value, list | tuple) and len(value) == 1 and value[0] in ("none", "backbone")
    return value[0] if alone else value


Freeze = Annotated[
    str | Annotated[tuple[str, ...], Field(min_length=1)],
    BeforeValidator(_keyword),
    Expected("none, backbone, a pattern on names of modules, or a list of patterns"),
]
"""A keyword, alone in a list too, or patterns."""


class Model(Strict):
    """A name from the catalogue, what is done to the network, and the builder's own arguments.

    These are checked against its signature. What is not asked for is not written out: the keys came later, and the
    recipes without them are still the same.
    """

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    name: str
    """``assay list models``; ``timm/…``, ``torchvision/…`` and ``smp/…`` are those of the libraries."""
    pretrained: Annotated[
        bool | str, Expected("true, false, the path of a file of weights, or run: and the folder of a finished run")
    ] = Field(default=False, exclude_if=lambda pretrained: pretrained is False)
    """True: the weights of the network's library; else the path of a file, or ``run:`` and a finished run."""
    strict: bool = Field(default=True, exclude_if=lambda strict: strict)
    """Whether pretrained weights must fit, all but the head."""
    freeze: Freeze = Field(default="none", exclude_if=lambda freeze: freeze == "none")
    """``backbone`` (all but the head), or patterns such as ``layer1*`` on names of modules and parameters."""
    head: tuple[HeadLayer, ...] | str | None = Field(default=None, exclude_if=lambda head: head is None)
    """In place of the classifier of a network off the shelf, a dense layer with the outputs following; or the name of
    one of a detector's heads, an argument of its builder."""

    @field_validator("head")
    @classmethod
    def _pooled_first(cls, head: tuple[HeadLayer, ...] | str | None) -> tuple[HeadLayer, ...] | str | None:
        if isinstance(head, tuple) and any(layer.name == "average_pool" for layer in head[1:]):
            raise ValueError("average_pool can only come first")
        return head

    @property
    def is_off_the_shelf(self) -> bool:
        """Whether a library makes the network, ``timm/resnet18``, or its backbone."""
        return "/" in self.name or self.name in ON_BACKBONES

    @property
    def arguments(self) -> dict[str, Any]:
        """What the builder gets besides the input shape and the number of outputs."""
        return dict(self.model_extra or {}) | ({"head": self.head} if isinstance(self.head, str) else {})
