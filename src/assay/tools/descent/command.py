"""``assay explain descent``: the page, and where it lies."""

from pathlib import Path

from assay.language.speech import SOURCE, language_called
from assay.tools.descent.page import write_descent
from assay.tools.terminal import print_json


def show_descent(
    out: Path | None = None, command: str = "", as_json: bool = False, language: str | None = None
) -> None:
    """Write the page, in a language, into ``out``, else ``explained/descent``, and say where it lies.

    Raises AssayError for a language that there is none of.
    """
    page = write_descent(out or Path("explained") / "descent", command, language_called(language or SOURCE))
    if as_json:
        return print_json({"page": page})
    print(f"page: {page}")
