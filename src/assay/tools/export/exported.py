"""What an export has written and found out."""

from dataclasses import dataclass
from pathlib import Path

from assay.tools.export.checking import Checked
from assay.tools.export.int8 import Quantised

CARD = "README.md"


@dataclass(frozen=True)
class Exported:
    """What lies in the folder of an export."""

    format: str
    file: Path
    """The network."""
    size: int
    """Bytes of it."""
    opset: int | None = None
    """Of ONNX."""
    checked: Checked | None = None
    """None for weights that are the run's own bytes."""
    int8: Quantised | None = None
    int8_size: int | None = None
    pushed: str | None = None
    """The address that it was pushed to."""

    @property
    def folder(self) -> Path:
        """With the file, the card README.md and the numbers of all this in export.json."""
        return self.file.parent
