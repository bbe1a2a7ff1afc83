"""Before the first run: new, init, schema."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from assay.cli.app import AsJson, app
from assay.tools.terminal import print_json


@app.command()
def new(
    file: Annotated[Path, typer.Argument(help="The study file to write.")] = Path("study.yaml"),
    source: Annotated[
        str | None, typer.Option("--data", metavar="DATA", help="A named source, a folder or a zip.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="classification, regression, multilabel or segmentation.")] = None,
    table: Annotated[str | None, typer.Option(metavar="FILE", help="Tells what is true of the pictures.")] = None,
    columns: Annotated[str | None, typer.Option(help="Columns of the table to learn, with commas between.")] = None,
    model: Annotated[str | None, typer.Option(help="A network by name, such as cnn or timm/resnet18.")] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=LEVEL,LEVEL", help="What is compared: model.activation=relu,tanh."),
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Runs of each variant.")] = None,
    title: Annotated[str | None, typer.Option(help="The question, as the report has it.")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training images.")] = 10,
    size: Annotated[str | None, typer.Option(metavar="N|HxW", help="Height and width: 96 or 96x128.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write a study file by asking five questions. What options answer is not asked; without a terminal nothing is."""
    from assay.data.images import data_root
    from assay.start.questions import answers
    from assay.start.writing import write_study
    from assay.tools.terminal import parse_size

    said = {
        "data": source,
        "task": task,
        "table": table,
        "columns": columns,
        "model": model,
        "vary": "\n".join(vary) if vary else None,
        "seeds": None if seeds is None else str(seeds),
    }
    given = {name: value for name, value in said.items() if value is not None}
    root = data_root()
    found = answers(given, ask if sys.stdin.isatty() else None, root)
    path = write_study(file, found, root, title, epochs, parse_size(size))
    if as_json:
        return print_json({"study": path})
    print(f"{path} is written; what it will take: assay run {path} --dry-run")


def ask(question: str, usual: str) -> str:
    """Ask on standard error, so that standard output stays what the command prints."""
    answer: str = typer.prompt(question, default=usual or None, err=True)
    return answer


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where to copy them.")] = Path("studies"), as_json: AsJson = False
) -> None:
    """Copy the studies that come with assay into a folder. What is there already is left as it is."""
    from assay.start.shipped import copy_studies

    copied = copy_studies(folder)
    if as_json:
        return print_json(copied)
    for name in copied.kept:
        print(f"{folder / name} is there already, with other contents, and was left as it is")
    print(f"{len(copied.written)} files written; begin with: assay run {folder / 'digits.yaml'}")


@app.command()
def schema() -> None:
    """Print the JSON schema of study files, for editors. They complete keys and underline mistakes by it.

    \b
    assay schema > study.schema.json
    For VS Code (extension YAML) and others, the first line of a study file is then
    # yaml-language-server: $schema=study.schema.json
    """
    from assay.start.schema import study_schema

    print_json(study_schema())
