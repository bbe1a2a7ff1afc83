"""The pages of the gallery, each made by one command in an empty folder: ``python documentation/gallery.py FOLDER``.

What ``FOLDER`` has of an earlier time is gone on with: finished runs are not trained again.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from html import unescape
from pathlib import Path


@dataclass(frozen=True)
class Shown:
    """A page, what makes it, and what it is an example of."""

    command: str
    page: str
    """Its path, below the folder in which the command runs."""
    words: str
    figure: str = ""
    """The picture on its card, beside the page: an SVG file."""


def study(path: str, words: str, figure: str = "figures/effect.svg", changes: str = "") -> Shown:
    """The report of a shipped study."""
    command = f"run studies/{path}.yaml {changes}".strip()
    return Shown(command, f"runs/{path.rpartition('/')[2]}/report/index.html", words, figure)


GALLERY = (
    study("digits", "Three activations, three seeds: intervals, paired differences, confusion, costs."),
    study("segmentation/loss", "A class for every pixel: masks, classes that are rare, where the losses differ."),
    study("regression/discs", "Two numbers a picture: errors in their units, residuals, how often intervals hold."),
    study("scattered-digits/heads", "Boxes: mAP with intervals, kinds of error, thresholds, pictures."),
    Shown(
        "explain studies/explain/convolution.yaml",
        "explained/convolution/index.html",
        "Every number of a convolution, forward and backward, as its sum of products.",
    ),
    Shown(
        "explain elu_resnet --shape 3,32,32",
        "explained/elu_resnet/index.html",
        "What each layer of a network costs and sees, with formulas.",
    ),
    Shown("explain descent", "explained/descent/index.html", "Optimizers on two surfaces, step by step."),
)

HEAD = "# Gallery\n\nPages as assay writes them: whole files that fetch nothing, each made by the command below it.\n"


def make(shown: Iterable[Shown], folder: Path) -> None:
    """Run the commands in ``folder/made``; put pages, pictures and an index of them into ``folder/pages``."""
    work, pages = folder / "made", folder / "pages"
    work.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(pages, ignore_errors=True)
    pages.mkdir()
    assay(work, "init")
    cards = [card(each, assay(work, each.command), work, pages) for each in shown]
    (pages / "index.md").write_text("\n".join([HEAD, *cards]), encoding="utf-8")


def assay(folder: Path, command: str) -> dict[str, object]:
    """What ``assay COMMAND`` says as JSON."""
    words = [sys.executable, "-m", "assay", *shlex.split(command), "--json"]
    ended = subprocess.run(words, cwd=folder, capture_output=True, text=True, encoding="utf-8")
    if ended.returncode:
        raise SystemExit(f"assay {command}\n{ended.stderr}")
    found: dict[str, object] = json.loads(ended.stdout)
    return found


def card(shown: Shown, said: dict[str, object], work: Path, pages: Path) -> str:
    """Copy a page and its picture; what the index says of it, in Markdown."""
    page = work / shown.page
    name = shown.page.split("/")[1]
    shutil.copy(page, pages / f"{name}.html")
    title = re.search(r"<title>(.*?)</title>", page.read_text(encoding="utf-8"), re.DOTALL)
    lines = [f"## [{unescape(title[1]).strip() if title else name}]({name}.html)"]
    if shown.figure:
        shutil.copy(page.parent / shown.figure, pages / f"{name}.svg")
        lines.append(f"[![The first figure of the report]({name}.svg)]({name}.html)")
    lines += [f"**{said['verdict']}**"] if "verdict" in said else []
    return "\n\n".join([*lines, shown.words, f"```sh\nassay {shown.command}\n```\n"])


if __name__ == "__main__":
    make(GALLERY, Path(sys.argv[1]))
