"""What is asked of finished runs: probe, predict, export, maps, refit."""

from pathlib import Path
from typing import Annotated

import typer

from assay.cli.app import AsJson, DataRoot, Finished, LaidOut, app
from assay.tools.refit import EPOCHS
from assay.tools.terminal import print_json, show


@app.command()
def probe(
    folder: Annotated[Path | None, typer.Argument(metavar="RUN", help="The folder of a finished run.")] = None,
    model: Annotated[
        str | None, typer.Option(help="In place of a run, a network by name, with a head fitted to the classes.")
    ] = None,
    pretrained: Annotated[
        str | None, typer.Option(metavar="true|PATH|run:RUN", help="With --model: its weights, else random ones.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="With a run: where named data lie. With --model: its images, a named source, a folder or a zip; "
            "names are looked up in $ASSAY_DATA, else ./data."
        ),
    ] = None,
    layers: Annotated[
        str, typer.Option(help="blocks, leaves, or patterns on layer names with commas between: 'conv*,output'.")
    ] = "blocks",
    split: Annotated[str, typer.Option(help="train, validation or test, or several with commas.")] = "train,test",
    images: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Up to 1 a share of each split, above 1 a number; else all, with --model 1,000.",
            show_default=False,
        ),
    ] = None,
    size: Annotated[
        str | None, typer.Option(metavar="N|HxW", help="With --model: height and width, else the network's own.")
    ] = None,
    layout: LaidOut = None,
    out: Annotated[
        Path | None, typer.Option(help="The page's folder; else probe in the run's folder, or probes/<network>.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how well each layer keeps the classes apart. The network is a finished run's, or one off the shelf."""
    from assay.tools.probe_command import show_probe

    show_probe(folder, model, pretrained, data, layers, split, images, size, layout, out, as_json)


@app.command()
def predict(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="The folder of a run, or of a variant or study, of which the best; or a file of 'assay export'.",
        ),
    ],
    pictures: Annotated[list[Path], typer.Argument(help="Image files, folders and zips of them.")],
    uncertainty: Annotated[
        bool,
        typer.Option(
            "--uncertainty",
            help="Calibrated probabilities or intervals, and where the run is unsure.",
        ),
    ] = False,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="All seeds of the variant, or of the study's best, answer together.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the answers to this file, .csv or .json; of maps and boxes, draw them in this folder.",
        ),
    ] = None,
    layout: LaidOut = None,
    data: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Predict the classes or numbers of pictures by a finished run. Of a study the best one answers.

    Best is by what training watched, on the validation images. Exit status 1: some pictures could not be read.
    """
    from assay.tools.predict_command import show_answers

    show_answers(folder, pictures, uncertainty, ensemble, out, data, as_json, layout)


@app.command()
def export(
    folder: Finished,
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="onnx, torch-export, safetensors, timm or hub.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="A new folder; else export/FORMAT in the run's folder.")
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="With onnx: the network in 8 bits too, and what that costs on test images.")
    ] = False,
    push: Annotated[
        str | None, typer.Option(metavar="NAME", help="With hub: upload the folder to this repository, private if new.")
    ] = None,
    data: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Write the network of a finished run for other programs. Checked against torch, with a model card."""
    from assay.tools.export.command import show_export

    show_export(folder, to, out, int8, push, data, as_json)


@app.command()
def maps(
    folder: Finished,
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="An image file.")],
    layers: Annotated[
        str, typer.Option(help="blocks, leaves, or patterns on layer names with commas between: 'conv*,block1.*'.")
    ] = "blocks",
    cam: Annotated[
        str | None,
        typer.Option(metavar="LAYER", help="The layer for Grad-CAM; else the last convolution.", show_default=False),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The page's folder; else maps/<picture>.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a finished run sees in a picture. The channels of its layers, and Grad-CAM of its answer."""
    from assay.system.process import own_command
    from assay.tools.looking.command import write_maps

    page = write_maps(folder, picture, layers, cam, out, own_command())
    if as_json:
        return print_json({"page": page})
    print(f"page: {page}")


@app.command()
def refit(
    folder: Finished,
    on: Annotated[str, typer.Option(metavar="mistakes", help="The training images that the run gets wrong.")] = (
        "mistakes"
    ),
    epochs: Annotated[int, typer.Option(help="Passes over these images.")] = EPOCHS,
    lr: Annotated[
        float | None, typer.Option(help="Learning rate; else a tenth of the recipe's.", show_default=False)
    ] = None,
    data: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Train a run on its mistakes, and see what that changes. It is held against as much training on random images."""
    from assay.runs.display import Display
    from assay.system.process import own_command
    from assay.tools.documents import plain
    from assay.tools.refit import refit
    from assay.tools.refit.page import write_refit
    from assay.tools.refit.table import refit_table

    with (
        Display() as display,
        display.counting("training", "epochs") as fitting,
        display.decoding("the images") as decoding,
    ):
        found = refit(folder, on, epochs, lr, data, own_command(), decoding, fitting)
    page = write_refit(found, own_command())
    if as_json:
        return print_json(plain(found) | {"verdict": found.verdict, "folder": str(found.folder), "page": str(page)})
    show(refit_table(found))
    print(f"page: {page}")
