"""Every number of the courses' worked parts stands in a page that ``docs/results/explain`` shows."""

import html
import re
from pathlib import Path

import pytest

from command import assay

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "explain"
PAGES = sorted(RESULTS.glob("*.html"))


def text(name: str | Path) -> str:
    """What a reader sees of a page, in one line."""
    page = re.sub(r"<(script|style).*?</\1>", " ", (RESULTS / name).read_text(encoding="utf-8"), flags=re.S)
    return " ".join(html.unescape(re.sub("<[^>]+>", " ", page)).split())


def rows(name: str) -> dict[str, list[str]]:
    """The first cell of each row of a page's tables → the others."""
    page = (RESULTS / name).read_text(encoding="utf-8")
    found: dict[str, list[str]] = {}
    for row in re.findall(r"<tr.*?</tr>", page, flags=re.S):
        cells = re.findall(r"<t[dh].*?</t[dh]>", row, re.S)
        first, *others = [html.unescape(re.sub("<[^>]+>", "", each)).strip() for each in cells]
        found.setdefault(first.replace("\u200b", ""), others)
    return found


@pytest.mark.parametrize(
    "number",
    [
        "O[1, 1] = 3·2 + 4·0 + 2·(−3) + 1·1 = 1",
        "O[1, 2] = 4·2 + 5·0 + 1·(−3) + (−3)·1 = 2",
        "O[2, 1] = 2·2 + 1·0 + 4·(−3) + (−2)·1 = −10",
        "O[2, 2] = 1·2 + (−3)·0 + (−2)·(−3) + 0·1 = 8",
        "L = 0.25·1 + 0.25·2 + 0.25·(−10) + 0.25·8 = 0.25",
        "dO[1, 1] = 0.25",
        "dF[1, 1] = 0.25·3 + 0.25·4 + 0.25·2 + 0.25·1 = 2.5",
        "dF[1, 2] = 0.25·4 + 0.25·5 + 0.25·1 + 0.25·(−3) = 1.75",
        "dF[2, 1] = 0.25·2 + 0.25·1 + 0.25·4 + 0.25·(−2) = 1.25",
        "dF[2, 2] = 0.25·1 + 0.25·(−3) + 0.25·(−2) + 0.25·0 = −1",
        "dX[1, 1] = 0.25·2 = 0.5",
        "dX[1, 2] = 0.25·0 + 0.25·2 = 0.5",
        "dX[1, 3] = 0.25·0 = 0",
        "dX[2, 1] = 0.25·(−3) + 0.25·2 = −0.25",
        "dX[2, 2] = 0.25·1 + 0.25·(−3) + 0.25·0 + 0.25·2 = 0",
        "dX[2, 3] = 0.25·1 + 0.25·0 = 0.25",
        "dX[3, 1] = 0.25·(−3) = −0.75",
        "dX[3, 2] = 0.25·1 + 0.25·(−3) = −0.5",
        "dX[3, 3] = 0.25·1 = 0.25",
    ],
)
def test_a_number_of_the_worked_convolution_stands_with_its_sum(number: str) -> None:
    assert f"{number} " in text("convolution.html")


LINE = {
    "conv1": ["16×498", "3", "16·(3·7+1) = 352", "498·16·3·7 = 167,328"],
    "max_pool1": ["16×249", "4", "0", "0"],
    "conv2": ["32×245", "12", "32·(5·16+1) = 2,592", "245·32·5·16 = 627,200"],
    "max_pool2": ["32×122", "14", "0", "0"],
    "conv3": ["64×118", "30", "64·(5·32+1) = 10,304", "118·64·5·32 = 1,208,320"],
    "max_pool3": ["64×59", "34", "0", "0"],
    "flatten1": ["3776"],
    "dense1": ["128", "128·(3,776+1) = 483,456", "128·3,776 = 483,328"],
    "output": ["5", "5·(128+1) = 645", "5·128 = 640"],
    "total": ["497,349", "2,486,816"],
}


@pytest.mark.parametrize("layer", LINE)
def test_a_row_of_the_network_in_one_dimension_is_exact(layer: str) -> None:
    cells = rows("waves.html")[layer]
    assert [cell for cell in LINE[layer] if cell not in cells] == []


def test_the_holes_of_atrous_convolutions_and_what_they_see() -> None:
    assert "Its weights lie 2 places apart" in text("atrous-line.html")
    plane = text("atrous-plane.html")
    assert "rates 1, 2 and 4 see 15 × 15" in plane
    assert "Its weights lie 4 places apart" in plane
    assert "as many weights as before cover 9 × 9" in plane


def test_the_network_of_parallel_kernels_has_the_courses_numbers() -> None:
    page = text("inception.html")
    assert "1,360,298 trainable parameters, 768 running statistics of norms, 1,361,066 numbers in all" in page
    assert "1,360,298" in rows("inception.html")["total"]


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("convolution", "assay explain studies/explain/convolution.yaml"),
        ("atrous-line", "assay explain studies/explain/atrous-line.yaml"),
        ("waves", "assay explain studies/explain/waves.yaml --shape 7,500 --outputs 5"),
        ("inception", "assay explain studies/cifar10/inception.yaml --shape 3,32,32"),
    ],
)
def test_a_page_is_what_the_command_beside_it_writes(
    name: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies").symlink_to(RESULTS.parents[2] / "studies")
    assert f"| `{command}` |" in (RESULTS / "README.md").read_text(encoding="utf-8")
    assert assay(capfd, *command.split()[1:]).status == 0
    (written,) = tmp_path.glob("explained/*/index.html")
    assert text(written) == text(f"{name}.html")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_whole_and_small(page: Path) -> None:
    assert page.stat().st_size < 400_000
    found = page.read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="https?://', re.sub(r"<a [^>]*>", "", found))
    assert f"({page.name})" in (RESULTS / "README.md").read_text(encoding="utf-8")
