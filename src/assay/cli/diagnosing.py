"""What the course of a training says of it."""

from pathlib import Path
from typing import Annotated

import typer

from assay.cli.app import AsJson, app


@app.command()
def diagnose(
    folder: Annotated[
        Path, typer.Argument(metavar="RUN", help="The folder of a run, or of a variant or study: a line a variant.")
    ],
    as_json: AsJson = False,
) -> None:
    """Say what the course of a training shows. Exploded, not learning, unfinished and the like, by rules.

    Each finding has its evidence, its rule, how often that rule speaks of healthy runs, and the study to run next.
    """
    from assay.tools.diagnosis.command import show_diagnosis

    show_diagnosis(folder, as_json)
