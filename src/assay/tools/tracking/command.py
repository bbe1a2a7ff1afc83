"""``assay track``: where the runs are now, told."""

import sys
from collections.abc import Sequence
from pathlib import Path

from assay.errors import NothingToDo
from assay.tools.terminal import print_json, read_results, tell_damaged
from assay.tools.tracking.tracking import Tracked, refuse_trackers, track


def show_tracked(folder: Path, names: Sequence[str], as_json: bool) -> None:
    """Show the finished runs of a study to trackers, and print where they are; exit status 1 where a tracker failed.

    Raises AssayError as ``refuse_trackers`` does, and NothingToDo where no run has finished.
    """
    refuse_trackers(names)
    results = read_results(folder)
    tell_damaged(results)
    found = track(results, names)
    if not found:
        raise NothingToDo(f"no run in {folder} has finished")
    tell_tracked(found, as_json)
    if as_json:
        print_json(found)
    if any(one.trouble for one in found):
        raise SystemExit(1)


def tell_tracked(found: Sequence[Tracked], as_json: bool) -> None:
    """Print where runs are to be seen, and on standard error which tracker failed."""
    for one in found:
        if one.trouble:
            print(f"assay: {one.trouble}", file=sys.stderr)
        elif not as_json:
            print(f"{one.tracker}: {one.where}")
