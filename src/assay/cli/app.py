"""What all commands share: the application itself, and options that several of them have."""

from pathlib import Path
from typing import Annotated

import typer

from assay import __version__

app = typer.Typer(
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

DataRoot = Annotated[Path | None, typer.Option("--data", help="Where named data lie; else $ASSAY_DATA, else ./data.")]
Finished = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")]
LaidOut = Annotated[
    str | None,
    typer.Option(
        metavar="WORD|FOLDER=SPLIT,…",
        help="How folders are read: classes, splits or masks, or which split each is, as fold_0=train,fold_1=test.",
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document for programs; all else goes to standard error.")
]
Spoken = Annotated[str | None, typer.Option(metavar="en|fa", help="Of the page; else English.", show_default=False)]
StudyFolder = Annotated[Path, typer.Argument(help="The folder of a study, such as runs/activation.")]


@app.callback(invoke_without_command=True)
def version(number: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """One file asks a question about image networks; one command answers it.

    A study names networks or settings to compare. assay trains each of them with several seeds, goes on where it was
    stopped, and writes a page that says which is better, by how much, and how sure that is.

    \b
    Try it on digits, which need no download:
      assay init
      assay run studies/digits.yaml
    Ask about your own pictures, and see what that will cost:
      assay new my-study.yaml --data pictures.zip
      assay run my-study.yaml --dry-run
    Look at pictures before anything is trained on them:
      assay check pictures.zip

    'assay COMMAND --help' says what a command takes.
    """
    if number:
        print(f"assay {__version__}")
        raise typer.Exit
