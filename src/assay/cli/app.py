"""What all commands share: the application itself, and options that several of them have."""

from pathlib import Path
from typing import Annotated

import typer

from assay import __version__

app = typer.Typer(
    help="One file asks a question about image networks; one command answers it.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

DataRoot = Annotated[Path | None, typer.Option("--data", help="Where named data lie; else $ASSAY_DATA, else ./data.")]
Finished = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document for programs; all else goes to standard error.")
]
StudyFolder = Annotated[Path, typer.Argument(help="The folder of a study, such as runs/activation.")]


@app.callback(invoke_without_command=True)
def version(number: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """One file asks a question about image networks; one command answers it."""
    if number:
        print(f"assay {__version__}")
        raise typer.Exit
