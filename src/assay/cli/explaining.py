"""What a layer costs and what it does: numbers worked by hand, a network as a table, a place of a picture."""

from pathlib import Path
from typing import Annotated

import typer

from assay.cli.app import AsJson, app
from assay.errors import AssayError
from assay.tools.terminal import print_json


@app.command()
def explain(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="A YAML file of numbers.")],
    out: Annotated[Path | None, typer.Option(help="The page's folder; else explained/<name>.")] = None,
    as_json: AsJson = False,
) -> None:
    """Work layers through, forward and backward, with every number. The page is for a lecture, or to be handed in."""
    from assay.system.process import own_command

    if not target.endswith((".yaml", ".yml")):
        raise AssayError(f"{target}: expected a YAML file of numbers, such as numbers.yaml")
    from assay.tools.worked.command import explain_numbers

    found = explain_numbers(Path(target), out, own_command())
    if as_json:
        return print_json(found.record)
    print(*found.lines, f"page: {found.page}", sep="\n")
