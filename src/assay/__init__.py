"""assay: one file asks a question about image networks, one command answers it.

``assay.run(load_study(path))`` trains what is missing and returns the ``Results``, of which ``assay.report`` writes the
page; every room of the package (``assay.models``, ``assay.data``, ``assay.results``, …) also works without a study.
Names are imported when they are first used, so that ``import assay`` takes milliseconds.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from assay import moved
from assay.faces import face

if TYPE_CHECKING:
    from assay.results import Results

__getattr__, __dir__, __all__ = face(__name__, __file__)
__version__ = "0.1.0"
moved.register()
import_module("assay.report")  # the room, before its name becomes the function's


def report(results: "Results", metric: str | None = None) -> Path:
    """Write ``report/index.html`` beside the runs of ``results``, its tables and figures with it; return its path.

    ``metric`` leads the page in place of the study's.
    """
    from assay.report.page import write_report

    return write_report(results, metric)
