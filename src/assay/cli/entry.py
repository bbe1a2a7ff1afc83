"""How the program begins, and how it ends."""

import os
import signal
import sys

import typer

from assay.cli.app import app
from assay.errors import AssayError, NothingToDo, RunFailed, StudyStopped
from assay.system.memory import is_lack_of_memory, keep_freed_memory
from assay.tools.terminal import print_json, say_warnings, stop


def main() -> None:
    """Exit status: 0, 1 for failed runs or a stopped study, 2 for a mistake of the user, 130 for Ctrl-C."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin while they wait starve other processes
    keep_freed_memory()
    say_warnings()
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        status = app(sys.argv[1:] or ["--help"], prog_name="assay", standalone_mode=False)
        if status == 130:  # what typer makes of Ctrl-C
            raise KeyboardInterrupt
    except NothingToDo as reason:
        if "--json" in sys.argv:
            print_json({"nothing_to_do": str(reason)})
        else:
            print(reason)
    except (StudyStopped, RunFailed) as error:
        stop(str(error), 1)
    except AssayError as error:
        stop(str(error), 2)
    except (typer.Abort, KeyboardInterrupt):
        resumes = sys.argv[1:2] in (["run"], ["work"])
        stop("stopped" + "; the same command goes on from the last finished epoch" * resumes, 130)
    except Exception as error:
        if hasattr(error, "format_message"):  # a mistake on the command line
            context = getattr(error, "ctx", None)
            command = context.command_path if context else "assay"
            stop(f"{error.format_message()} ('{command} --help' shows what there is)", 2)
        if is_lack_of_memory(error):
            stop("out of memory: fewer or smaller images, or a smaller network, would need less", 1)
        raise
