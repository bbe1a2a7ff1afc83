"""What ``make setup`` installs: torch for the processor where there is no card and it is to be had, else the usual."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLAIN = "install torch torchvision"
PROCESSOR = "install --index-url https://download.pytorch.org/whl/cpu torch torchvision"

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("make") is None, reason="needs make, and Linux has torch in two builds"
)


def program(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("card", "reachable", "has_it", "installed"),
    [
        (False, True, True, [PROCESSOR]),
        (False, True, False, [PROCESSOR, PLAIN]),
        (False, False, True, [PLAIN]),
        (True, True, True, [PLAIN]),
    ],
)
def test_torch_suits_the_machine(
    tmp_path: Path, card: bool, reachable: bool, has_it: bool, installed: list[str]
) -> None:
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    program(tmp_path / "bin" / "nvidia-smi", f"exit {int(not card)}")
    made = tmp_path / "made"
    program(made / "python", f"exit {int(not reachable)}")
    program(made / "pip", f'echo "$*" >> pip.log\ncase "$*" in *index-url*) exit {int(not has_it)};; esac')
    program(tmp_path / "python", f"mkdir -p .venv && cp -r {made} .venv/bin")
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["make", "setup", f"PYTHON={tmp_path / 'python'}"],
        cwd=tmp_path,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    *torch, package = (tmp_path / "pip.log").read_text().splitlines()
    assert torch == installed
    assert package == "install --editable .[dev,docs,tensorboard,mlflow,wandb,weights,maps,rcnn,hf,export,ray,search]"
    assert "on disk" in ended.stdout
