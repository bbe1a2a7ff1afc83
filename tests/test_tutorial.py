"""The tutorial, in an empty folder: every command as it stands, in its order, and then the Python."""

import subprocess
import sys
from pathlib import Path

import pytest

from command import assay
from documented import TUTORIAL, blocks, commands

LOADS = "pip "
"""What a command begins with that loads packages, and is not run."""


def test_every_command_runs_and_says_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ASSAY_DATA", raising=False)
    said = {}
    for command in commands([TUTORIAL]):
        program, *words = command.words
        if program == "python":
            subprocess.run([sys.executable, *words], check=True, timeout=60)
        elif not command.text.startswith(LOADS):
            assert program == "assay"
            ended = assay(capfd, *words)
            assert ended.status == 0, f"{command}\n{ended.err}"
            said[command.text] = ended.out
    assert "report: runs/digits/report/index.html" in said["assay run studies/digits.yaml"]
    assert (tmp_path / "runs" / "digits" / "report" / "index.html").is_file()
    wide = next(out for text, out in said.items() if text.startswith("assay run width.yaml --jobs"))
    assert "hidden=64 is better than hidden=8 by" in wide
    answers = next(out for text, out in said.items() if text.startswith("assay predict"))
    assert "seven.png  7" in answers
    capfd.readouterr()
    names: dict[str, object] = {}
    for shown in blocks([TUTORIAL], "python"):
        exec(compile(shown.text, str(shown), "exec"), names)
    assert capfd.readouterr().out.startswith("hidden=64 is better than hidden=8 by")
