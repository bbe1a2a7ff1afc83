"""How an exported file is used, as it stands in its model card."""

from typing import Any

ONNX = """\
```python
import json

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("{file}")
about = json.loads(session.get_modelmeta().custom_metadata_map["assay"])
images = np.zeros({shape}, np.uint8)  # pictures in this size and colour, 0…255
outputs = session.run(None, {{"images": images}})
```"""
TORCH = """\
```python
import json

import torch

extra = {{"assay.json": ""}}
network = torch.export.load("{file}", extra_files=extra).module()
about = json.loads(extra["assay.json"])
images = torch.zeros({shape}, dtype=torch.uint8)  # pictures in this size and colour, 0…255
outputs = network(images)
```"""
TIMM = """\
```python
import timm
import torch

network = timm.create_model("local-dir:FOLDER", pretrained=True).eval()
images = torch.zeros({shape})  # pixels in 0…1, less pretrained_cfg["mean"], by pretrained_cfg["std"]
logits = network(images)
```"""
SAFETENSORS = """\
```python
import json
from pathlib import Path

from safetensors.torch import load_file

weights = load_file("{file}")
about = json.loads(Path("assay.json").read_text(encoding="utf-8"))
```

The network itself is built by `assay.models.catalogue.build` of the `model` in recipe.yaml, and reads pixels in 0…1,
less `about["about"]["mean"]`, by `about["about"]["std"]`."""
TEMPLATES = {"onnx": ONNX, "torch-export": TORCH, "timm": TIMM, "safetensors": SAFETENSORS}


def usage(description: dict[str, Any], to: str, file: str) -> list[str]:
    """The lines that load a file and ask it, what goes in, what comes out, and what it leaves to others."""
    given, is_graph = description["input"], to in ("onnx", "torch-export")
    lines = [f"`assay predict {file} PICTURE…` answers as the run does."] if is_graph else []
    lines.append(TEMPLATES[to].format(file=file, shape=(2, *given["shape"][1:])))
    shape = ", ".join(map(str, given["shape"]))
    size = f"pictures of another size come to this one by `{given['fit']}`, {given['resampling']}"
    lines.append(f"In: {given['type']}, ({shape}), {given['colour']}; {size}.")
    if is_graph:
        lines.append(f"Inside: {', '.join(description['inside'])}.")
    lines.append("Out: " + "; ".join(f"`{name}` {meaning}" for name, meaning in description["outputs"].items()) + ".")
    lines.append(f"Left to the caller: {'; '.join(description['outside'])}.")
    return lines
