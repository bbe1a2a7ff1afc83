"""Before anything is trained: what a recipe may name, what is wrong with the data, which backbone suits them."""

from pathlib import Path
from typing import Annotated

import typer

from assay.cli.app import AsJson, DataRoot, LaidOut, Spoken, app
from assay.tools.terminal import listed, parse_layout, print_json, show


@app.command("list")
def list_names(
    kind: Annotated[
        str | None,
        typer.Argument(help="models, data, losses, optimizers, schedules, augmentations or measures; else all."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the names that a recipe may use, with their options."""
    from assay.tools.names import KINDS, listing, names

    if as_json:
        return print_json({each: names(each) for each in ([kind] if kind else KINDS)})
    show(listing(kind))


@app.command()
def check(
    source: Annotated[str, typer.Argument(metavar="DATA", help="A named source, folder or zip, or a study file.")],
    size: Annotated[str | None, typer.Option(metavar="N|HxW", help="Height and width: 96 or 96x128.")] = None,
    color: Annotated[str | None, typer.Option(metavar="gray|rgb", help="Else the source's own.")] = None,
    group: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="Regular expression on the file name that names the original.")
    ] = None,
    task: Annotated[str | None, typer.Option(metavar="NAME", help="Where masks lie beside boxes: detection.")] = None,
    layout: LaidOut = None,
    near: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Largest closeness of a near copy, 0 to 1; else chosen from the data."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The page's folder; else checks/<name>.")] = None,
    run: Annotated[
        Path | None, typer.Option(metavar="RUN", help="A finished run of detection: which boxes it speaks against.")
    ] = None,
    language: Spoken = None,
    data: DataRoot = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the verdict.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look for copies, leaks and doubtful labels in a data set."""
    from assay.system.process import own_command
    from assay.tools.documents import inspected
    from assay.tools.inspection.command import check
    from assay.tools.inspection.verdict import verdict

    command = own_command()
    found, page = check(source, size, color, group, task, layout, near, out, data, quiet, command, run, language)
    if as_json:
        return print_json(inspected(found, page))
    print("\n".join(verdict(found)), f"page: {page}", sep="\n\n")


@app.command()
def rank(
    source: Annotated[str, typer.Argument(metavar="DATA", help="A named source, a folder or a zip.")],
    models: Annotated[
        str,
        typer.Option(
            help="Backbones with commas between: timm/resnet18,torchvision/vgg16; else those whose weights are here.",
            show_default=False,
        ),
    ] = "",
    images: Annotated[
        float,
        typer.Option(min=0, help="Of the training and the validation split: up to 1 a share, above 1 a number."),
    ] = 1000,
    size: Annotated[
        str | None, typer.Option(metavar="N|HxW", help="Height and width, else each network's own.")
    ] = None,
    pretrained: Annotated[
        bool, typer.Option(help="With the weights of the network's library, else random ones.")
    ] = True,
    group: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="Regular expression on the file name that names the original.")
    ] = None,
    layout: LaidOut = None,
    out: Annotated[Path | None, typer.Option(help="The page's folder; else ranks/<name>.")] = None,
    data: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Rank backbones for a data set without training any of them. Their features are judged by separation and LogME.

    Beside the page lies the study to run next.
    """
    from assay.system.process import own_command
    from assay.tools.documents import plain
    from assay.tools.ranking.command import rank_and_write
    from assay.tools.ranking.table import ranking_table

    found, page = rank_and_write(
        source, listed(models), images, size, pretrained, group, parse_layout(layout), out, data, own_command()
    )
    if as_json:
        return print_json(plain(found) | {"page": str(page)})
    show(ranking_table(found))
    print(f"\npage: {page}")
