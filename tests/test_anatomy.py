"""``assay explain`` of a network: its table, its drawing, its page, and what a mistake is told."""

import csv
import json
import re
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from torch import Tensor, nn

from assay.errors import AssayError
from assay.models.tracing import trace
from assay.recipe.yaml_files import dump_yaml
from assay.tools.anatomy.anatomy import anatomy, take_apart
from assay.tools.anatomy.drawing import HEIGHT, MOST, draw
from assay.tools.anatomy.page import write_anatomy
from chrome import chrome
from command import assay
from one_dimensional import one_dimensional
from test_report_browser import CHROMIUM
from test_sequence import COURSE

SHORT = "model.channels=[4,8]"


def test_the_network_of_a_course_from_a_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "course.yaml"
    file.write_text(dump_yaml({"model": {"name": "sequence", "layers": COURSE}}), encoding="utf-8")
    ended = assay(capfd, "explain", str(file), "--shape", "7,500", "--outputs", "5", "--out", str(tmp_path / "page"))
    assert ended.status == 0, ended.err
    rows = [re.split(r"\s{2,}", line.strip()) for line in ended.out.splitlines()]
    assert rows[1] == [
        "conv1", "Conv1d", "7×500", "16×498", "3", "3", "16·(3·7+1) = 352", "498·16·3·7 = 167,328", "7,968", "31,872",
    ]  # fmt: skip
    assert rows[14][:3] == ["total", "497,349", "2,486,816"]
    text = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    for number in ("352", "2,592", "10,304", "483,456", "645", "497,349", "2,486,816", "627,200", "1,208,320"):
        assert number in text
    with open(tmp_path / "page" / "tables" / "layers.csv", encoding="utf-8") as lines:
        table = {row["layer"]: row for row in csv.DictReader(lines)}
    assert [table[name]["field"] for name in ("conv1", "max_pool1", "conv2", "max_pool2", "conv3", "max_pool3")] == [
        "3", "4", "12", "14", "30", "34",
    ]  # fmt: skip
    assert table["flatten1"]["output"] == "3776"
    assert len(text) < 400_000


def test_the_table_as_json(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["explain", "cnn", "--shape", "1,28,28", "--set", SHORT, "--out", str(tmp_path), "--json"]
    found = json.loads(assay(capfd, *words).out)
    (first, *_) = found["layers"]
    assert (first["layer"], first["field"], first["padding"], first["parameters"]) == ("conv1", [3, 3], [1, 1], 40)
    assert (found["shape"], first["input"], first["output"]) == ([1, 28, 28], [1, 28, 28], [4, 28, 28])
    assert (found["uncounted"], first["uncounted"]) == (None, [])
    assert found["parameters"] == 40 + 8 * 37 + 8 * 49 * 64 + 64 + 650


def test_separation_of_a_run_stands_beside_its_layers(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 4))
    found = take_apart(network, (1, 4, 4), "run", {"SI": {"1": 0.75}, "CSI": {"1": 0.5, "0": 0.25}}, "test")
    page = write_anatomy(found, tmp_path).read_text(encoding="utf-8")
    assert "SI, test" in re.sub("<[^>]+>", "", page)
    assert 'style="width: 75.0%"' in page
    table = pl.read_csv(tmp_path / "tables" / "layers.csv")
    assert table["CSI"].to_list() == [0.25, 0.5]
    assert table["SI"].to_list() == [None, 0.75]


def test_a_path_that_depends_on_the_picture_is_said_and_the_table_stays(tmp_path: Path) -> None:
    class Chosen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(16, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x.flatten(1)) if x.sum() == 0 else x

    found = take_apart(Chosen(), (1, 4, 4), "chosen")
    assert found.summary.macs == 32
    assert found.trouble == ("Without receptive fields and drawing: its path depends on the numbers in the picture.")
    page = write_anatomy(found, tmp_path).read_text(encoding="utf-8")
    assert found.trouble in page
    assert 'id="paths"' not in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cmn"], "unknown model 'cmn'; did you mean 'cnn'?"),
        (["cnn"], "--shape is missing: that of an image for 'cnn', such as 3,32,32"),
        (["cnn", "3,a"], "--shape: found '3,a', expected channels and up to three sides, such as 3,32,32"),
        (["cnn", "3,0,3"], "--shape: found '3,0,3', expected channels and up to three sides, such as 3,32,32"),
        (["cnn", "7,500"], "model 'cnn' takes channels, height and width, found a shape of 2 numbers"),
    ],
)
def test_a_mistake_is_one_sentence(words: list[str], said: str) -> None:
    with pytest.raises(AssayError) as caught:
        anatomy(*words)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["descent", "--outputs", "3"], "--outputs: no use here, descent has its own surfaces"),
        (["numbers.yaml", "--shape", "1,3,3"], "--shape: no use here, numbers.yaml has numbers and no network"),
        (
            ["run", "--set", "model.norm=batch", "--layer", "conv1"],
            "--set: no use here, a place is worked with a run's own network",
        ),
    ],
)
def test_an_option_without_use_is_refused(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("numbers.yaml").write_text("input: [1, 2]\n", encoding="utf-8")
    ended = assay(capfd, "explain", *words)
    assert (ended.status, ended.err.strip()) == (2, f"assay: {said}")


def test_only_the_model_can_be_changed() -> None:
    with pytest.raises(AssayError, match="expected a key of the model"):
        anatomy("cnn", "1,8,8", ["train.epochs=3"])


def study(folder: Path) -> Path:
    """Of two networks."""
    file = folder / "widths.yaml"
    base = {"data": {"source": "digits"}, "model": {"name": "mlp", "hidden": [4]}, "train": {"epochs": 1}}
    variants = {"narrow": {}, "wide": {"model.hidden": [8]}}
    told = {"title": "Which width?", "base": base, "variants": variants, "seeds": 1}
    file.write_text(dump_yaml(told), encoding="utf-8")
    return file


def test_the_network_of_a_variant_is_taken_apart(tmp_path: Path) -> None:
    file = str(study(tmp_path))
    assert anatomy(file, "1,8,8").summary.parameters == 65 * 4 + 5 * 10
    wide = anatomy(file, "1,8,8", variant="wide")
    assert (wide.summary.parameters, wide.title) == (65 * 8 + 9 * 10, "widths, wide")
    changed = anatomy(file, "1,8,8", ["model.hidden=[8,8]"], variant="narrow")
    assert changed.summary.parameters == 65 * 8 + 9 * 8 + 9 * 10


def test_a_variant_that_is_none_is_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(AssayError, match="unknown variant 'wid'; did you mean 'wide'"):
        anatomy(str(study(tmp_path)), "1,8,8", variant="wid")
    with pytest.raises(AssayError, match="--variant wide: cnn is no study file"):
        anatomy("cnn", "1,8,8", variant="wide")


def test_a_picture_too_small_names_the_layer_and_what_comes_in() -> None:
    with pytest.raises(AssayError) as caught:
        anatomy("torchvision/vgg16", "3,16,16")
    assert str(caught.value) == (
        "torchvision/vgg16 does not take an image of 3×16×16: its layer features.30 (MaxPool2d, 2×2, stride 2) cannot "
        "take the 512×1×1 that come in"
    )


def test_a_file_in_place_of_the_folder_is_a_mistake(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    for out in (file, file / "below"):
        ended = assay(capfd, "explain", "mlp", "--shape", "1,8,8", "--out", str(out))
        assert (ended.status, ended.err.strip()) == (2, f"assay: {file} is a file, expected a folder for the page")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no place where no folder can be made")
def test_a_folder_that_cannot_be_made_is_a_mistake(capfd: pytest.CaptureFixture[str]) -> None:
    ended = assay(capfd, "explain", "mlp", "--shape", "1,8,8", "--out", "/proc/page")
    assert ended.status == 2
    assert ended.err.startswith("assay: /proc/page cannot be made, expected a folder for the page: ")


# ----------------------------------------------------------------------------------------- drawings


def test_a_chain_is_drawn_one_below_the_other_with_activations_inside() -> None:
    found = draw(trace(one_dimensional(), (7, 500)))
    assert [box.title for box in found.boxes] == ["input", "0", "2", "3", "5", "6", "8", "10", "12"]
    assert found.boxes[1].kinds == "Conv1d · ReLU"
    assert len({box.x for box in found.boxes}) == 1
    assert all(below.y - above.y > HEIGHT for above, below in pairwise(found.boxes))
    assert len(found.lines) == 8


def test_branches_stand_beside_each_other_and_skips_run_at_the_side() -> None:
    found = draw(anatomy("inception", "3,32,32").graph)  # type: ignore[arg-type]
    row = [box for box in found.boxes if box.title in ("inception.alone.0", "inception.near.0", "inception.far.0")]
    assert len({box.y for box in row}) == 1
    assert len({box.x for box in row}) == 3
    places = {(box.x, box.y) for box in found.boxes}
    assert len(places) == len(found.boxes)
    assert sum("Q" in line for line in found.lines) == 1


def test_a_long_box_keeps_its_layer_and_its_shape() -> None:
    found = {box.title: box for box in draw(anatomy("inception", "3,32,32").graph).boxes}  # type: ignore[arg-type]
    assert found["conv3"].caption(38) == "Conv2d · ReLU → 32×32×32"
    assert found["conv4"].caption(38) == "Conv2d · … · Dropout → 128×16×16"
    assert found["conv5"].caption(38) == "Conv2d · … · Dropout · Flatten → 65536"
    assert found["input"].caption(38) == "3×32×32"


def test_a_large_network_is_drawn_by_its_blocks() -> None:
    deep = nn.Sequential(*(nn.Sequential(nn.Conv2d(1, 1, 1), nn.MaxPool2d(1)) for _ in range(MOST)))
    found = draw(trace(nn.Sequential(deep), (1, 4, 4)))
    assert found.together
    assert len(found.boxes) < MOST


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium; apt-get install chromium")
def test_the_page_is_read_with_a_keyboard_and_scrolls_only_inside(tmp_path: Path) -> None:
    page = write_anatomy(anatomy("inception", "3,32,32"), tmp_path)
    with chrome(tmp_path / "chrome") as browser:
        browser.open(page, 420)
        assert browser.run("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
        regions = "[...document.querySelectorAll('[role=region]')]"
        assert browser.run(f"{regions}.length") == 3
        assert browser.run(f"{regions}.every((each) => each.tabIndex === 0 && each.ariaLabel)")
        boxes = browser.run("document.querySelectorAll('.drawing rect').length")
        assert boxes == browser.run("document.querySelectorAll('.drawing g title').length") > 10
