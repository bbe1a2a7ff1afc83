"""``assay explain descent``: the page, and where it lies."""

from pathlib import Path

from assay.tools.descent.page import write_descent
from assay.tools.terminal import print_json


def show_descent(out: Path | None = None, command: str = "", as_json: bool = False) -> None:
    """Write the page into ``out``, else ``explained/descent``, and say where it lies."""
    page = write_descent(out or Path("explained") / "descent", command)
    if as_json:
        return print_json({"page": page})
    print(f"page: {page}")
