"""The command line, in this process (fast) or in one of its own (for what only a process shows)."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay.cli import main

STUDY: dict[str, Any] = {
    "title": "Which activation for a tiny network?",
    "base": {
        "data": {"source": "digits", "validation": 0.15},
        "model": {"name": "mlp", "hidden": [8]},
        "train": {"epochs": 1, "batch_size": 64, "optimizer": {"name": "sgd", "lr": 0.1}},
    },
    "vary": {"model.activation": ["relu", "tanh"]},
    "seeds": 1,
}


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit status and what it printed."""

    status: int
    out: str
    err: str

    def __post_init__(self) -> None:
        for text in (self.out, self.err):
            assert "Traceback" not in text, text
            assert "\x1b" not in text, "control codes in a pipe"


def write_study(path: Path, **changes: Any) -> Path:
    """A small study of digits with other top-level fields; ``None`` leaves one out."""
    values = {key: value for key, value in (STUDY | changes).items() if value is not None}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def assay(capfd: pytest.CaptureFixture[str], *arguments: str | Path) -> Outcome:
    """``assay ARGUMENTS`` in this process."""
    before = sys.argv, signal.getsignal(signal.SIGTERM)
    sys.argv = ["assay", *map(str, arguments)]
    capfd.readouterr()
    try:
        main()
        status: Any = 0
    except SystemExit as end:
        status = end.code
    finally:
        sys.argv = before[0]
        signal.signal(signal.SIGTERM, before[1])
    return Outcome(status or 0, *capfd.readouterr())


def start(*arguments: str | Path, **environment: str) -> subprocess.Popen[str]:
    """``assay ARGUMENTS`` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "assay", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=os.environ | environment,
    )


def outcome(process: subprocess.Popen[str]) -> Outcome:
    """Wait for a process to end."""
    out, err = process.communicate(timeout=300)
    return Outcome(process.returncode, out, err)
