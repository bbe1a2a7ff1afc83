"""An ``.onnx`` file: made of a graph of torch.export, run by onnxruntime."""

import json
import re
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from assay.errors import AssayError
from assay.system.extras import need
from assay.tools.answering import Pixels
from assay.tools.export.graph import Graph, Outputs
from assay.tools.export.quiet import quiet

BATCH = "batch"
METADATA = "assay"
"""The key of the metadata under which the description lies as JSON."""
MISSING = re.compile(r"No ONNX function found for <OpOverload\(op='([^']+)'")
"""What torch.onnx says of an operator that it cannot translate."""


def write(program: ExportedProgram, description: dict[str, Any], path: Path) -> int:
    """Write the graph to ``path``, the description among its metadata; returns the opset.

    Raises AssayError where the packages of the extra are absent, and for an operator that ONNX lacks.
    """
    need("onnx", "onnxscript", "onnxruntime", extra="export")
    try:
        with quiet():
            found = torch.onnx.export(
                program,
                dynamo=True,
                input_names=[description["input"]["name"]],
                output_names=list(description["outputs"]),
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        raise AssayError(refusal(error)) from None
    assert found is not None
    for value in (*found.model.graph.inputs, *found.model.graph.outputs):
        assert value.shape is not None
        value.shape[0] = BATCH
    found.model.metadata_props[METADATA] = json.dumps(description)
    found.save(path)
    return found.model.opset_imports[""]


def refusal(error: BaseException) -> str:
    """Why a graph cannot be translated, with the operator's name where that is why."""
    reasons = []
    cause: BaseException | None = error
    while cause is not None:
        if operator := MISSING.search(str(cause)):
            return f"the network uses {operator[1]}, which has no operator in ONNX; --to torch-export holds it"
        reasons.append(cause)
        cause = cause.__cause__ or cause.__context__
    return f"the network cannot be translated to ONNX: {str(reasons[-1]).strip().partition(chr(10))[0]}"


def read(path: Path) -> tuple[Graph, dict[str, Any] | None]:
    """The graph, and its description where assay wrote one. AssayError where the file cannot be read, or onnxruntime
    is absent."""
    need("onnxruntime", extra="export")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own kinds, which have no common base
        raise AssayError(f"{path} cannot be read: {str(error).strip().partition(chr(10))[0]}") from None
    name = session.get_inputs()[0].name

    def graph(pixels: Pixels) -> Outputs:
        return tuple(torch.from_numpy(part) for part in session.run(None, {name: pixels}))

    told = session.get_modelmeta().custom_metadata_map.get(METADATA)
    return graph, json.loads(told) if told else None
