"""What the course of a training says of it, and experiments with its learning rate."""

from pathlib import Path
from typing import Annotated

import typer

from assay.cli.app import AsJson, DataRoot, app
from assay.errors import AssayError


@app.command()
def diagnose(
    target: Annotated[
        str,
        typer.Argument(
            metavar="RUN|DATA",
            help="The folder of a run, variant or study; with --rates a named source, a folder, a zip, a study file.",
        ),
    ],
    model: Annotated[
        str | None,
        typer.Argument(metavar="[MODEL]", help="With --rates: a network's name, else that of the study file."),
    ] = None,
    trying: Annotated[
        bool, typer.Option("--try", help="Begin the run anew at rates from a thousandth to a thousand times its own.")
    ] = False,
    rates: Annotated[
        bool, typer.Option("--rates", help="Find the learning rates that suit a network and its images.")
    ] = False,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="With --rates: train.optimizer=sgd.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="With --rates: the page's folder; else rates/<name>.")] = None,
    data: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Say what the course of a training shows. Exploded, not learning, unfinished and the like, by rules.

    Each finding has its evidence, its rule, how often that rule speaks of healthy runs, and the study to run next.
    With --try a few epochs at other learning rates show whether the rate is to blame; with --rates short trainings
    show, before any run, which rates a network learns at.
    """
    from assay.tools.diagnosis.command import show_diagnosis, show_rates

    if rates:
        if trying:
            raise AssayError("--try is of a run, and --rates of a network that no run trained; leave one out")
        return show_rates(target, model, changes or (), out, data, as_json)
    if model or changes or out:
        raise AssayError("MODEL, --set and --out go with --rates; a run has its own recipe")
    show_diagnosis(Path(target), trying, data, as_json)
