"""What networks in two parts have in common: an encoder that may stay as it is, and all that reads its maps."""

from torch import nn


class Encoded(nn.Module):
    """A network one of whose modules is its encoder."""

    encoder_name: str = ""
    """The module, a child or deeper inside (``backbone.body``); empty where nothing can stay as it is."""
    output_names: tuple[str, ...] = ("output",)
    """The layers that another number of outputs would change."""

    @property
    def rest_names(self) -> list[str]:
        """The modules beside the encoder: together with it they hold all weights."""
        found, inside = [], ""
        for name in self.encoder_name.split("."):
            module = self.get_submodule(inside)
            found += [f"{inside}.{child}".lstrip(".") for child, _ in module.named_children() if child != name]
            inside = f"{inside}.{name}".lstrip(".")
        return found

    def is_encoders(self, name: str) -> bool:
        """Whether a tensor is the encoder's."""
        return name.startswith(f"{self.encoder_name}.")

    def inside(self, name: str) -> str:
        """What the network inside the encoder calls a tensor of it."""
        return name.removeprefix(f"{self.encoder_name}.").removeprefix("model.")
