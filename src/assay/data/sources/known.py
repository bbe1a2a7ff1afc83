"""What is known of a source that has a name, without opening it."""

from dataclasses import dataclass

UNSTATED = "not stated"
DRAWN = "as assay; drawn by it"
ELSEWHERE = "--data FOLDER or $ASSAY_DATA says where data lie"
"""What helps where they are not found."""


@dataclass(frozen=True)
class Known:
    """A line each for a listing."""

    opener: str
    """Import path of the function that opens it."""
    text: str
    """What it holds."""
    licence: str = UNSTATED
    """As those say who publish it."""
    cite: str = ""
    """Whom to cite, or where it comes from."""

    @property
    def line(self) -> str:
        """All of it, for a listing."""
        return f"{self.text}. Licence: {self.licence}." + (f" Cite: {self.cite}." if self.cite else "")
