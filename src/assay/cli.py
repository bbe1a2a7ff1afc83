"""The command line: a thin skin over public functions. Heavy imports wait until a command needs them."""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from assay import __version__
from assay.errors import AssayError, NothingToDo, RunFailed, StudyStopped
from assay.system.memory import keep_freed_memory
from assay.tools.refit import EPOCHS
from assay.tools.terminal import listed, read_results, show, stop

app = typer.Typer(
    help="One file asks a question about image networks; one command answers it.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

DataRoot = Annotated[Path | None, typer.Option("--data", help="Where named data lie; else $ASSAY_DATA, else ./data.")]


@app.command()
def run(
    study: Annotated[Path, typer.Argument(help="A study file.")],
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the base recipe: train.epochs=3.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="This many seeds instead of the file's.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Local processes; the threads are divided among them.")] = 1,
    out: Annotated[Path, typer.Option(help="The folder of all studies.")] = Path("runs"),
    data: DataRoot = None,
    retry: Annotated[bool, typer.Option("--retry", help="Run failed runs again.")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write TensorBoard event files too.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the verdict.")] = False,
) -> None:
    """Train what is missing of a study, compare, and write the report. The same command again resumes."""
    from assay.recipe.study import load_study
    from assay.report.page import write_report
    from assay.runs.engine import run as run_study
    from assay.system.process import own_command

    loaded = load_study(study, changes or (), seeds)
    options = {"data": data, "jobs": jobs, "retry": retry, "tensorboard": tensorboard, "quiet": quiet}
    results = run_study(loaded, out, **options, command=own_command())  # type: ignore[arg-type]
    failed = [run for run in results.runs if run.state == "failed"]
    if results.finished:
        page = write_report(results)
        print(f"\n{results.verdict()}\n\nreport: {page}")
    if failed:
        stop(f"{len(failed)} of {len(results.runs)} runs failed; 'assay status {results.folder}' says why", 1)


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="The folder of a study, such as runs/activation.")]) -> None:
    """Write a study's report again from its run folders."""
    from assay.report.page import write_report

    results = read_results(folder)
    print(f"{results.verdict()}\n\nreport: {write_report(results)}")


@app.command()
def status(folder: Annotated[Path, typer.Argument(help="The folder of a study, such as runs/activation.")]) -> None:
    """What is done, what is running, what failed and why, and the time left."""
    from assay.runs.progress import status_table

    show(status_table(read_results(folder)))


@app.command("list")
def list_names(
    kind: Annotated[
        str | None,
        typer.Argument(help="models, data, losses, optimizers, schedules, augmentations or measures; else all."),
    ] = None,
) -> None:
    """The names that a recipe may use, with their options."""
    from assay.tools.names import listing

    show(listing(kind))


@app.command()
def check(
    source: Annotated[str, typer.Argument(metavar="DATA", help="A named source, folder or zip, or a study file.")],
    size: Annotated[str | None, typer.Option(metavar="N|HxW", help="Height and width: 96 or 96x128.")] = None,
    color: Annotated[str | None, typer.Option(metavar="gray|rgb", help="Else the source's own.")] = None,
    group: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="Regular expression on the file name that names the original.")
    ] = None,
    near: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Largest closeness of a near copy, 0 to 1; else chosen from the data."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The page's folder; else checks/<name>.")] = None,
    data: DataRoot = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the verdict.")] = False,
) -> None:
    """Copies, leaks and doubtful labels of a data set, before anything is trained on it."""
    from assay.system.process import own_command
    from assay.tools.inspection.command import check

    verdict, page = check(source, size, color, group, near, out, data, quiet, own_command())
    print(f"{verdict}\n\npage: {page}")


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
) -> None:
    """How well the layers of a finished run, or of a network off the shelf, keep the classes apart."""
    from assay.tools.probe_command import show_probe

    show_probe(folder, model, pretrained, data, layers, split, images, size)


@app.command()
def rank(
    source: Annotated[str, typer.Argument(metavar="DATA", help="A named source, a folder or a zip.")],
    models: Annotated[str, typer.Option(help="Backbones with commas between: timm/resnet18,torchvision/vgg16.")],
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
    data: DataRoot = None,
) -> None:
    """Which backbone suits a data set, without training: separation of its features, LogME, and cost."""
    from assay.runs.display import Display
    from assay.tools.ranking import rank
    from assay.tools.ranking.table import ranking_table
    from assay.tools.terminal import parse_size

    names = listed(models)
    with (
        Display() as display,
        display.counting("ranking", "backbones") as measuring,
        display.decoding(source) as decoding,
    ):
        found = rank(source, names, images, parse_size(size), pretrained, group, data, decoding, measuring)
    show(ranking_table(found))


@app.command()
def predict(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")],
    pictures: Annotated[list[Path], typer.Argument(help="Image files.")],
    uncertainty: Annotated[
        bool,
        typer.Option(
            "--uncertainty",
            help="Calibrated probabilities or intervals, and where the run is unsure.",
        ),
    ] = False,
    data: DataRoot = None,
) -> None:
    """What a finished run says of pictures: their class, or numbers with intervals."""
    if uncertainty:
        from assay.tools.predict_uncertain import predict_uncertain, uncertain_table

        return show(uncertain_table(predict_uncertain(folder, pictures, data)))
    from assay.tools.predict import predict, prediction_table

    show(prediction_table(predict(folder, pictures)))


@app.command()
def maps(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")],
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="An image file.")],
    layers: Annotated[
        str, typer.Option(help="blocks, leaves, or patterns on layer names with commas between: 'conv*,block1.*'.")
    ] = "blocks",
    cam: Annotated[
        str | None,
        typer.Option(metavar="LAYER", help="The layer for Grad-CAM; else the last convolution.", show_default=False),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The page's folder; else maps/<picture>.")] = None,
) -> None:
    """What a finished run sees in a picture: the channels of its layers by activity, and Grad-CAM of its answer."""
    from assay.system.process import own_command
    from assay.tools.looking.command import write_maps

    print(f"page: {write_maps(folder, picture, layers, cam, out, own_command())}")


@app.command()
def refit(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")],
    on: Annotated[str, typer.Option(metavar="mistakes", help="The training images that the run gets wrong.")] = (
        "mistakes"
    ),
    epochs: Annotated[int, typer.Option(help="Passes over these images.")] = EPOCHS,
    lr: Annotated[
        float | None, typer.Option(help="Learning rate; else a tenth of the recipe's.", show_default=False)
    ] = None,
    data: DataRoot = None,
) -> None:
    """What training a finished run on its mistakes gains on the test images, and what it forgets."""
    from assay.runs.display import Display
    from assay.system.process import own_command
    from assay.tools.refit import refit
    from assay.tools.refit.table import refit_table

    with (
        Display() as display,
        display.counting("training", "epochs") as fitting,
        display.decoding("the images") as decoding,
    ):
        found = refit(folder, on, epochs, lr, data, own_command(), decoding, fitting)
    show(refit_table(found))


@app.callback(invoke_without_command=True)
def version(number: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """One file asks a question about image networks; one command answers it."""
    if number:
        print(f"assay {__version__}")
        raise typer.Exit


def main() -> None:
    """Exit status: 0, 1 for failed runs or a stopped study, 2 for a mistake of the user, 130 for Ctrl-C."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin while they wait starve other processes
    keep_freed_memory()
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        status = app(sys.argv[1:] or ["--help"], prog_name="assay", standalone_mode=False)
        if status == 130:  # what typer makes of Ctrl-C
            raise KeyboardInterrupt
    except NothingToDo as reason:
        print(reason)
    except (StudyStopped, RunFailed) as error:
        stop(str(error), 1)
    except AssayError as error:
        stop(str(error), 2)
    except (typer.Abort, KeyboardInterrupt):
        stop("stopped; the same command goes on from the last finished epoch", 130)
    except Exception as error:
        if hasattr(error, "format_message"):  # a mistake on the command line
            context = getattr(error, "ctx", None)
            command = context.command_path if context else "assay"
            stop(f"{error.format_message()} ('{command} --help' shows what there is)", 2)
        raise
