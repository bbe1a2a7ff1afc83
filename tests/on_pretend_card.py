"""``python on_pretend_card.py TOLD.json COMMANDS.json [--without-float64] [--captured]``: assay on the pretended card.

COMMANDS.json is a list of lists of words. TOLD.json gets the exit statuses, how many operations the card did, and where
a step of training waited for it, which no captured step may. ``--captured``: steps are captured, as on CUDA.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pretend_card
import pretend_graph


def status(command: list[str]) -> Any:
    from assay.cli import main

    sys.argv = ["assay", *command]
    try:
        return main()
    except SystemExit as end:
        return end.code


if __name__ == "__main__":
    told, asked = (Path(name) for name in sys.argv[1:3])
    library = pretend_card.register("--without-float64" not in sys.argv)
    pretend_card.take_over()
    if "--captured" in sys.argv:
        pretend_graph.take_over()
    codes = [status(command) for command in json.loads(asked.read_text(encoding="utf-8"))]
    seen = {"operations": pretend_card.SEEN.operations, "waits": pretend_card.SEEN.waits}
    told.write_text(json.dumps({"codes": codes} | seen), encoding="utf-8")
