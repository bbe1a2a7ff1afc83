"""Whole runs, and what is asked of them, on an accelerator that refuses what a card refuses: tensors of the processor
beside its own and, as Apple's, float64. No step of training that a card captures waits for it, and a captured one
learns what a step from Python does, to the last bit."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from PIL import Image
from torch.utils import backend_registration

pytestmark = pytest.mark.skipif(
    not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"),
    reason="this torch has no backends of Python",
)
CARD = Path(__file__).with_name("on_pretend_card.py")
SOME = {"train": 64, "validation": 30, "test": 30}
FEW = {"train": 8, "validation": 3, "test": 3}
CNN = {"name": "cnn", "channels": [8], "norm": "batch", "dense": [16]}
SEPARATION = {"name": "separation", "layers": "leaves"}

LABELS: dict[str, Any] = {
    "data": {"source": "digits", "augment": [{"rotation": 10}, {"erase": 0.5}, {"cutmix": 0.3}]} | SOME,
    "model": CNN | {"dropout": 0.2},
    "train": {
        "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9},
        "ema": {"decay": 0.9},
        "clip": 1.0,
        "l1": 1e-4,
        "channels_last": True,
    },
    "evaluate": [
        "classification",
        "curves",
        "cost",
        SEPARATION | {"indices": ["separation", "center", "soft_order", "cross_separation"]},
        "uncertainty",
        "diagnosis",
    ],
}
NUMBERS: dict[str, Any] = {
    "task": "regression",
    "data": {"source": "discs", "augment": ["horizontal_flip"]} | SOME,
    "model": CNN,
    "train": {"loss": "huber"},
    "evaluate": ["regression", "cost", SEPARATION, "uncertainty"],
}
TAGS: dict[str, Any] = {
    "task": "multilabel",
    "data": {"source": "shapes"} | SOME,
    "model": CNN,
    "train": {"loss": {"name": "focal", "class_weights": "inverse"}},
    "evaluate": ["multilabel", "curves", "cost"],
}
MAPS: dict[str, Any] = {
    "task": "segmentation",
    "data": {"source": "scenes", "size": 32, "crop": {"size": [24, 24], "classes": "balanced"}} | FEW,
    "model": {"name": "deeplab", "width": 4},
    "train": {"batch_size": 4, "loss": ["cross_entropy", "lovasz"], "watch": "miou"},
    "predict": {"flip": True, "tile": 16, "crf": {"bilateral": 3}},
    "evaluate": ["segmentation", "cost"],
}
BOXES: dict[str, Any] = {
    "task": "detection",
    "data": {"source": "scattered-digits", "size": [64, 64], "mosaic": {"probability": 1.0, "epochs": 1}} | FEW,
    "model": {"name": "yolo", "size": "n"},
    "train": {"batch_size": 4, "watch": "map"},
    "evaluate": ["detection", "cost"],
}
REGIONS: dict[str, Any] = {
    "task": "detection",
    "data": {"source": "scattered-digits", "size": [64, 64], "color": "rgb"} | FEW,
    "model": {"name": "detector", "backbone": "timm/tf_efficientnet_lite0", "pretrained": True, "freeze": "backbone"},
    "evaluate": ["detection"],
}


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    return path


def on_the_card(folder: Path, asked: dict[str, Any], commands: list[list[str]], *more: str) -> dict[str, Any]:
    """What the card tells of a run of each recipe, or study, by its name, and of what is asked of them afterwards."""
    runs = []
    for name, found in asked.items():
        study = found if "base" in found else {"base": found}
        base = study["base"] | {"train": {"epochs": 1, "batch_size": 8} | study["base"].get("train", {})}
        text = yaml.safe_dump(study | {"title": name, "base": base, "seeds": 1})
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        runs.append(["run", f"{name}.yaml", "--jobs", "1"])
    (folder / "commands.json").write_text(json.dumps(runs + commands), encoding="utf-8")
    line = [sys.executable, str(CARD), "told.json", "commands.json", *more]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads((folder / "told.json").read_text(encoding="utf-8"))
    assert not any(told["codes"]), done.stdout + done.stderr
    assert told["operations"] > 1000
    return told


KINDS = pytest.mark.parametrize("kind", [(), ("--without-float64",)], ids=["with float64", "without"])


@KINDS
def test_labels_and_numbers(tmp_path: Path, picture: Path, kind: tuple[str, ...]) -> None:
    run, each = "runs/labels/base/seed-0", [str(picture)]
    commands = [
        ["predict", run, *each, "--uncertainty"],
        ["predict", "runs/numbers", *each, "--uncertainty"],
        ["predict", "runs/tags", *each],
        ["maps", run, *each],
        ["probe", run],
        ["refit", run],
    ]
    told = on_the_card(tmp_path, {"labels": LABELS, "numbers": NUMBERS, "tags": TAGS}, commands, *kind)
    assert told["waits"] == {}


@KINDS
def test_maps(tmp_path: Path, picture: Path, kind: tuple[str, ...]) -> None:
    told = on_the_card(tmp_path, {"maps": MAPS}, [["predict", "runs/maps", str(picture), "--out", "drawn"]], *kind)
    assert told["waits"] == {}


def test_boxes(tmp_path: Path, picture: Path) -> None:
    commands = [["predict", f"runs/{name}", str(picture), "--out", name] for name in ("boxes", "regions")]
    on_the_card(tmp_path, {"boxes": BOXES, "regions": REGIONS}, commands, "--without-float64")


CAPTURED: dict[str, Any] = {
    "labels": {
        "base": LABELS
        | {
            "data": LABELS["data"] | {"augment": [{"mixup": 0.3}], "train": 94},
            "train": {
                "epochs": 2,
                "clip": 1.0,
                "l1": 1e-4,
                "ema": {"decay": 0.9, "ramp": 10},
                "schedule": "one_cycle",
                "warmup": {"steps": 8, "momentum": 0.5, "bias": 0.1},
            },
            "evaluate": ["classification", "diagnosis"],
        },
        "vary": {
            "train.capture": [True, False],
            "train.optimizer": [{"name": "sgd", "lr": 0.05, "momentum": 0.9}, "adamw", "rmsprop"],
        },
    },
    "numbers": {
        "base": NUMBERS | {"train": {"epochs": 2, "schedule": "cosine"}, "evaluate": ["regression"]},
        "vary": {"train.capture": [True, False]},
    },
    "maps": {
        "base": MAPS
        | {
            "data": MAPS["data"] | {"train": 20},
            "train": {"epochs": 2, "batch_size": 4, "loss": ["cross_entropy", "lovasz"], "schedule": "cosine"},
            "predict": {},
            "evaluate": ["segmentation"],
        },
        "vary": {"train.capture": [True, False]},
    },
}


def test_a_captured_step_learns_what_one_from_python_does(tmp_path: Path) -> None:
    told = on_the_card(tmp_path, CAPTURED, [], "--captured")
    assert told["waits"] == {}
    captured = sorted(tmp_path.glob("runs/*/capture=true*/seed-0"))
    assert len(captured) == 5
    for run in captured:
        other = Path(str(run).replace("capture=true", "capture=false"))
        assert "steps are captured as a CUDA graph" in (run / "log.txt").read_text(encoding="utf-8")
        assert "steps run from Python: train.capture is false" in (other / "log.txt").read_text(encoding="utf-8")
        assert (run / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes(), run
        one, two = (pl.read_parquet(each / "history.parquet").drop("seconds") for each in (run, other))
        assert one.equals(two), run
