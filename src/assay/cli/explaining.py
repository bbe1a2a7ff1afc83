"""What a layer costs and what it does: numbers worked by hand, a network as a table, a place of a picture."""

from pathlib import Path
from typing import Annotated, Any

import typer

from assay.cli.app import AsJson, Spoken, app
from assay.errors import AssayError
from assay.tools.terminal import print_json


@app.command()
def explain(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="A network's name, the folder of a finished run, a YAML file of numbers or with a model, or descent.",
        ),
    ],
    shape: Annotated[
        str | None,
        typer.Option(
            metavar="C,H,W", help="An image of the network: channels and up to three sides, 7,500 or 3,32,32."
        ),
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the network: model.norm=batch.")
    ] = None,
    outputs: Annotated[
        int | None,
        typer.Option(min=1, help="Of the network; else 10, and 1,000 of one off the shelf.", show_default=False),
    ] = None,
    variant: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of a study file; else the network of its base.")
    ] = None,
    layer: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of a run: a convolution, worked at a place of a picture.")
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="With --layer: an image file.")] = None,
    at: Annotated[
        str | None, typer.Option(metavar="Y,X", help="With --layer: row and column from 0, as the network sees it.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The page's folder; else explained/<name>, or explain in the run's folder.")
    ] = None,
    language: Spoken = None,
    as_json: AsJson = False,
) -> None:
    """Show what each layer costs and sees, or work one by hand. Either is a page.

    Of a network: shapes, parameters and multiply-accumulates with their formulas, receptive fields, a drawing of its
    paths, and for a finished run the separation of its layers. Of numbers, or of a run's convolution at a place of a
    picture: every number forward and backward.
    """
    from assay.system.process import own_command
    from assay.tools.anatomy.command import has_model, show_anatomy

    of_network = {"--shape": shape, "--set": changes, "--outputs": outputs, "--variant": variant}
    of_place = {"--layer": layer, "--picture": picture, "--at": at}
    if target == "descent":
        refuse(of_network | of_place, "descent has its own surfaces")
        from assay.tools.descent.command import show_descent

        return show_descent(out, own_command(), as_json, language)
    is_problem = target.endswith((".yaml", ".yml")) and not has_model(Path(target))
    if not is_problem and not any(of_place.values()):
        return show_anatomy(target, shape, changes or (), outputs, variant, out, own_command(), as_json, language)
    numbers = f"{target} has numbers and no network"
    refuse(of_network, "a place is worked with a run's own network" if any(of_place.values()) else numbers)
    show_worked(Path(target), (layer, picture, at), out, as_json, language)


def show_worked(
    target: Path,
    place: tuple[str | None, Path | None, str | None],
    out: Path | None,
    as_json: bool,
    language: str | None,
) -> None:
    """Numbers of a file, or the layer, the picture and the place of a run."""
    from assay.language.speech import SOURCE, language_called
    from assay.system.process import own_command
    from assay.tools.worked.command import explain_numbers, explain_place

    page = (out, own_command(), language_called(language or SOURCE))
    found = explain_place(target, *place, *page) if any(place) else explain_numbers(target, *page)
    if as_json:
        return print_json(found.record)
    print(*found.lines, f"page: {found.page}", sep="\n")


def refuse(options: dict[str, Any], why: str) -> None:
    """AssayError for options that were given and have no use here."""
    useless = [name for name, value in options.items() if value]
    if useless:
        raise AssayError(f"{', '.join(useless)}: no use here, {why}")
