"""A study from its file to its page: run, report, status, verify."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from assay.cli.app import AsJson, DataRoot, StudyFolder, app
from assay.errors import AssayError
from assay.system.integrity import RESTORE
from assay.tools.terminal import print_json, read_results, show, stop, tell_damaged, tell_not_measured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.recipe.study import Study
    from assay.results import Results
    from assay.results.folders import Run
    from assay.start.forecast import Forecast


def number_of_jobs(text: object) -> int | Literal["auto"]:
    """What follows ``--jobs``."""
    if text == "auto":
        return "auto"
    if not str(text).isdecimal() or int(str(text)) < 1:
        raise typer.BadParameter(f"found '{text}', expected a number from 1, or 'auto'.")
    return int(str(text))


@app.command()
def run(
    study: Annotated[Path, typer.Argument(help="A study file.")],
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the base recipe: train.epochs=3.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="This many seeds instead of the file's.")] = None,
    jobs: Annotated[
        Any,
        typer.Option(
            parser=number_of_jobs,
            metavar="N|auto",
            help="Processes: 1 here, as many as pay with auto and on a cluster. Here they share the threads.",
        ),
    ] = None,
    on: Annotated[
        str | None, typer.Option(metavar="slurm|ray[://HOST:PORT]", help="Train on a cluster, not in this process.")
    ] = None,
    print_script: Annotated[
        bool, typer.Option("--print", help="With --on slurm: print the job's script, and submit nothing.")
    ] = False,
    out: Annotated[Path, typer.Option(help="The folder of all studies.")] = Path("runs"),
    data: DataRoot = None,
    retry: Annotated[bool, typer.Option("--retry", help="Run failed runs again.")] = False,
    trackers: Annotated[
        list[str] | None,
        typer.Option(
            "--track",
            metavar="TRACKER",
            help="Show the finished runs to mlflow, wandb or tensorboard too; may be given several times.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the verdict.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check the study, and say what it will take: runs, time, disk.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train a study, compare its variants, and write the report. The same command again resumes."""
    from assay.recipe.study import load_study
    from assay.runs.engine import run as run_study
    from assay.start.forecast import forecast
    from assay.system.process import own_command
    from assay.tools.tracking.tracking import refuse_trackers

    trackers = trackers or []
    is_array = of_an_array(on, print_script, dry_run, trackers)
    refuse_trackers(trackers)
    loaded, jobs = load_study(study, changes or (), seeds), jobs or ("auto" if on else 1)
    if dry_run:
        return show_forecast(forecast(loaded, out, data, jobs, quiet, retry), as_json)
    options = {"data": data, "jobs": jobs, "retry": retry, "quiet": quiet}
    if is_array:
        return show_array(loaded, out, options, print_script, as_json)
    show_verdict(run_study(loaded, out, **options, on=on, command=own_command()), as_json, trackers)  # type: ignore[arg-type]


def show_verdict(results: "Results", as_json: bool, trackers: "Sequence[str]") -> None:
    """Write the page of a study that was trained, print what it says, and show the runs to the trackers."""
    from assay.report.page import write_report
    from assay.tools.documents import findings
    from assay.tools.tracking.command import tell_tracked
    from assay.tools.tracking.tracking import track

    tell_damaged(results)
    tell_not_measured(results)
    page = write_report(results) if results.finished else None
    if as_json:
        print_json(findings(results, page))
    else:
        print("\n\n".join([f"\n{results.verdict()}", *([f"report: {page}"] if page else [])]))
    tell_tracked(track(results, trackers), as_json)
    stop_for_failed([run for run in results.runs if run.state != "finished"], results)


def of_an_array(on: str | None, print_script: bool, dry_run: bool, trackers: "Sequence[str]") -> bool:
    """Whether ``--on`` names Slurm; AssayError where it names nothing, or other options have no use with it."""
    from assay.runs.place import place

    is_array = bool(on) and place(str(on)).engine == "slurm"
    if print_script and not is_array:
        raise AssayError("--print: no use without --on slurm")
    if dry_run and on:
        raise AssayError("--dry-run: no use with --on, it tries this machine")
    if trackers and is_array:
        raise AssayError("--track: no use with --on slurm; 'assay track' shows what an array has finished")
    return is_array


def stop_for_failed(failed: "Sequence[Run]", results: "Results") -> None:
    """Say that these runs of a study have not finished, and end with exit status 1; nothing where there are none."""
    if failed:
        is_or_are = "is" if len(failed) == 1 else "are"
        what = "failed" if all(run.state == "failed" for run in failed) else f"failed or {is_or_are} damaged"
        stop(f"{len(failed)} of {len(results.runs)} runs {what}; 'assay status {results.folder}' says why", 1)


def show_array(study: "Study", out: Path, options: dict[str, Any], print_script: bool, as_json: bool) -> None:
    """Prepare a study for a Slurm array, and print its script or submit it."""
    from assay.runs.slurm import prepare_batch, refuse_without_slurm, submit

    if not print_script:
        refuse_without_slurm()
    batch = prepare_batch(study, out, **options)
    number = None if print_script else submit(batch)
    if as_json:
        return print_json({"folder": batch.folder, "tasks": batch.tasks, "job": number, "script": batch.script})
    if number is None:
        return print(batch.script, end="")
    print(f"job {number}: {batch.tasks} tasks\n'assay status {batch.folder}' says how far they are")


@app.command()
def work(
    folder: StudyFolder,
    data: DataRoot = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only how it ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train what is left in a study's folder. Any number of these may share it.

    'assay run --on slurm' prepares the folder. Each worker takes one run after the other until every run is done or in
    another's hands.
    """
    from assay.runs.worker import work_on
    from assay.system.process import own_command

    left = work_on(folder, data=data, quiet=quiet or as_json, command=own_command())
    done, all_of_them = len(left.results.finished), len(left.results.runs)
    others = f"; others train {left.elsewhere} more" if left.elsewhere else f"; 'assay report {folder}' writes the page"
    if as_json:
        print_json({"finished": done, "runs": all_of_them, "elsewhere": left.elsewhere})
    else:
        print(f"{done} of {all_of_them} runs have finished{others}")
    stop_for_failed([run for run in left.results.runs if run.state in ("failed", "damaged")], left.results)


def show_forecast(found: "Forecast", as_json: bool) -> None:
    """Print what a study will take."""
    from assay.start.forecast import forecast_table

    if as_json:
        return print_json(found)
    show(forecast_table(found))


@app.command()
def plan(
    study: Annotated[Path, typer.Argument(help="A study file, or the folder of a study.")],
    difference: Annotated[
        str,
        typer.Option(
            metavar="SIZE", help="The smallest worth telling, as it is shown: 1.0 percentage points of a share."
        ),
    ],
    power: Annotated[float, typer.Option(help="The share of studies in which it is to be told.")] = 0.8,
    like: Annotated[
        Path | None,
        typer.Option(
            metavar="RUNS", help="A study whose runs vary as those will, where none of its own have finished."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder of all studies.")] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Say before training how many seeds decide a difference. How much runs vary, its own or a like study's say."""
    from assay.recipe.study import load_study
    from assay.start.plan import plan, plan_table

    loaded = load_study(study)
    found = plan(loaded, difference, power, study if study.is_dir() else out / loaded.name, like)
    if as_json:
        return print_json(found)
    show(plan_table(found, loaded))


@app.command()
def report(
    folder: StudyFolder,
    metric: Annotated[
        str | None, typer.Option(help="What verdict and page are about; else the study's.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the report of a study again from its run folders."""
    from assay.report.page import write_report
    from assay.tools.documents import findings

    results = read_results(folder)
    tell_damaged(results)
    tell_not_measured(results, metric)
    page = write_report(results, metric)
    if as_json:
        return print_json(findings(results, page, metric))
    print(f"{results.verdict(metric)}\n\nreport: {page}")


@app.command()
def track(
    folder: StudyFolder,
    trackers: Annotated[
        list[str],
        typer.Option("--to", metavar="TRACKER", help="mlflow, wandb or tensorboard; may be given several times."),
    ],
    as_json: AsJson = False,
) -> None:
    """Show the finished runs of a study to a tracker. What is there already is not doubled."""
    from assay.tools.tracking.command import show_tracked

    show_tracked(folder, trackers, as_json)


@app.command()
def status(folder: StudyFolder, as_json: AsJson = False) -> None:
    """Show what is done, what failed and why, and the time left."""
    from assay.runs.progress import status_table
    from assay.tools.documents import state_of

    results = read_results(folder)
    if as_json:
        return print_json(state_of(results))
    show(status_table(results))


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(metavar="RUNS", help="The folder of a run, a study, or several studies.")],
    as_json: AsJson = False,
) -> None:
    """Check that the files of finished runs are as they were written."""
    from assay.tools.verify import in_words, verify

    found = verify(folder)
    wrong = sum(bool(one.wrong) for one in found)
    if as_json:
        print_json(found)
    else:
        print("\n".join(in_words(found)))
    if wrong:
        stop(f"{wrong} of {len(found)} finished runs {'is' if wrong == 1 else 'are'} damaged; {RESTORE}", 1)
