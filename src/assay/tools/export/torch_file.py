"""A ``.pt2`` file of torch.export, with its description among the extra files."""

import json
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from assay.errors import AssayError
from assay.tools.answering import Pixels
from assay.tools.export.graph import Graph, Outputs
from assay.tools.export.quiet import quiet

EXTRA = "assay.json"
"""The extra file that holds the description."""


def write(program: ExportedProgram, description: dict[str, Any], path: Path) -> None:
    """Write the graph to ``path``."""
    with quiet():
        torch.export.save(program, path, extra_files={EXTRA: json.dumps(description)})


def read(path: Path) -> tuple[Graph, dict[str, Any] | None]:
    """The graph, and its description where assay wrote one. AssayError where the file cannot be read."""
    extra = {EXTRA: ""}
    try:
        with quiet():
            network = torch.export.load(path, extra_files=extra).module()
    except Exception as error:  # of a damaged archive: anything
        raise AssayError(f"{path} cannot be read: {str(error).strip().partition(chr(10))[0]}") from None

    def graph(pixels: Pixels) -> Outputs:
        with torch.inference_mode():
            found: Outputs = network(torch.from_numpy(pixels))
            return found

    return graph, json.loads(extra[EXTRA]) if extra[EXTRA] else None
