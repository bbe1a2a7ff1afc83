"""The command on the page gives the page's numbers when it is pasted into a shell."""

import html
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml

import assay as package
from assay.recipe.study import load_study
from assay.report import write_report
from assay.results import Results
from command import assay, write_study
from synthetic import fabricate, make_study

ODD = "it's 2 & more"


def on_the_page(page: Path) -> str:
    """The command, as somebody copies it."""
    found = re.search(r'<code[^>]* id="command">(.*?)</code>', page.read_text("utf-8"))
    assert found
    return html.unescape(found[1])


def pasted(command: str, where: Path) -> None:
    """What a shell makes of it, with this tree's ``assay`` on its path."""
    shim = where / "bin" / "assay"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m assay "$@"\n')
    shim.chmod(0o755)
    environment = os.environ | {"PATH": f"{shim.parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(["sh", "-c", command], cwd=where, env=environment, check=True, capture_output=True)


def numbers(results: Results) -> pl.DataFrame:
    """All but what the clock says."""
    return results.frame.drop("training_seconds", "inference_images_per_second", strict=False)


def test_from_python_with_changes_and_seeds_and_a_data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my data").mkdir()
    study = load_study(write_study(tmp_path / f"{ODD}.yaml"), ["train.optimizer.lr=0.05", "train.batch_size=50"], 2)
    page = write_report(package.run(study, data="my data", quiet=True))
    (tmp_path / f"{ODD}.yaml").unlink()
    command = on_the_page(page)
    assert command.endswith(" --out reproduced --data 'my data'")
    pasted(command, tmp_path)
    again = Results.read(tmp_path / "reproduced" / study.name)
    assert numbers(again).equals(numbers(Results.read(page.parent.parent)))
    assert numbers(again).height == 4


@pytest.mark.slow
def test_from_the_command_line_with_seeds_added_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path / "tiny.yaml")
    for seeds in ("1", "2"):
        done = assay(capfd, "run", "tiny.yaml", "--set", "train.loss={name: focal, gamma: 2.0}", "--seeds", seeds)
        assert done.status == 0, done.err
    page = tmp_path / "runs" / "tiny" / "report" / "index.html"
    pasted(on_the_page(page), tmp_path)
    again = Results.read(tmp_path / "reproduced" / "tiny")
    assert numbers(again).equals(numbers(Results.read(page.parent.parent)))
    assert set(again.frame["seed"]) == {0, 1}


def test_a_page_without_the_record_of_the_first_start_has_a_command_too(tmp_path: Path) -> None:
    folder = fabricate(tmp_path, make_study(2, 1))
    (folder / "machine.json").write_text('{"threads": 1, "jobs": 2, "data": null}')
    assert on_the_page(write_report(Results.read(folder))).endswith(" --jobs 2")
    (folder / "machine.json").write_text("{")
    page = write_report(Results.read(folder))
    assert on_the_page(page) == f"assay run {folder / 'study.yaml'} --out reproduced"
    assert yaml.safe_load((folder / "study.yaml").read_text()) in [
        yaml.safe_load(html.unescape(code))
        for code in re.findall(r'<pre tabindex="0"><code>(.*?)</code>', page.read_text("utf-8"), re.S)
    ]
