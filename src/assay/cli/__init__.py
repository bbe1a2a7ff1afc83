"""The command line: a thin skin over public functions. Heavy imports wait until a command needs them.

A file a group of commands; they are imported in the order of the help.
"""

from assay.cli import start, studies, before, finished, explaining, diagnosing  # noqa: F401, I001
from assay.cli.app import app
from assay.cli.entry import main

__all__ = ["app", "main"]
