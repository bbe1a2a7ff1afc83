"""Runs as files that other programs read: the files answer as their runs do, and say how they are to be asked."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

from assay.data.sources.catalogue import SOURCES
from assay.errors import AssayError, PictureWarning
from assay.models.detector import Selecting
from assay.recipe.study import Study
from assay.runs.engine import run as run_study
from assay.tasks.classification.losses import probabilities
from assay.tools.export import onnx_file, torch_file
from assay.tools.export.checking import TOLERANCE, Checked
from assay.tools.export.exported import Exported
from assay.tools.export.exporting import export
from assay.tools.export.int8 import Quantised
from assay.tools.predict import answers, load_run, predict
from assay.tools.predict_command import show_answers
from command import assay

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")

QUICK = {"epochs": 1, "batch_size": 16, "device": "cpu"}
SMALL = {"train": 48, "validation": 12, "test": 12}
BASES: dict[str, dict[str, Any]] = {
    "classification": {"data": {"source": "digits"}, "model": {"name": "cnn", "channels": [16], "dense": [64]}},
    "one logit": {
        "data": {"source": "halves", "size": [10, 12], "fit": "letterbox", "validation": 0.2, "test": 0.3},
        "model": {"name": "mlp", "hidden": [8]},
        "train": {"loss": "binary_cross_entropy"},
        "predict": {"flip": True},
    },
    "regression": {
        "task": "regression",
        "data": {"source": "discs", **SMALL},
        "model": {"name": "cnn", "channels": [4], "dense": [8]},
    },
    "multilabel": {
        "task": "multilabel",
        "data": {"source": "shapes", **SMALL},
        "model": {"name": "cnn", "channels": [4], "dense": [8]},
    },
    "segmentation": {
        "task": "segmentation",
        "data": {"source": "scenes", "size": [16, 24], "fit": "letterbox", **SMALL},
        "model": {"name": "deeplab", "width": 4, "aspp": "none"},
        "predict": {"flip": True, "tile": 16},
    },
    "sharpened": {
        "task": "segmentation",
        "data": {"source": "scenes", "size": 24, **SMALL},
        "model": {"name": "deeplab", "width": 4, "aspp": "none"},
        "predict": {"crf": {"iterations": 2}},
    },
    "detection": {
        "task": "detection",
        "data": {"source": "scattered-digits", "size": 64, **SMALL},
        "model": {"name": "yolo"},
        "predict": {"score": 0.01, "most": 20},
    },
}
"""Name → what is asked of a run, of each task and of what may stand around its network."""
SESSIONS = {"onnx": "model.onnx", "torch-export": "model.pt2"}
QUANTISED = ("classification", "regression", "segmentation", "detection")
"""Kinds whose ONNX file has one in 8 bits beside it."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with a set of two classes of coloured pictures."""
    root, random = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for number in range(40):
        (root / "halves" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (10 + number % 7, 12 + number % 5, 3), np.uint8)
        Image.fromarray(pixels).save(root / "halves" / "ab"[number % 2] / f"{number}.png")
    return root


class Runs(dict[str, Path]):
    """Kind → the folder of a finished run, which is trained when it is first asked for."""

    def __init__(self, out: Path, root: Path) -> None:
        super().__init__()
        self.out, self.root = out, root

    def __missing__(self, name: str) -> Path:
        folder, sections = name.replace(" ", "-"), BASES[name]
        base = {**sections, "train": QUICK | sections.get("train", {})}
        run_study(Study(title=name, name=folder, base=base, seeds=1), self.out, data=self.root, quiet=True)
        self[name] = self.out / folder / "base" / "seed-0"
        return self[name]


@pytest.fixture(scope="module")
def runs(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("runs"), root)


class Exports(dict[tuple[str, str], Exported]):
    """(Kind, format) → the graph of its run, which is written when it is first asked for."""

    def __init__(self, out: Path, runs: Runs) -> None:
        super().__init__()
        self.out, self.runs = out, runs

    def __missing__(self, asked: tuple[str, str]) -> Exported:
        (kind, to), int8 = asked, asked[1] == "onnx" and asked[0] in QUANTISED
        self[asked] = export(self.runs[kind], to, self.out / "-".join(asked), int8=int8, root=self.runs.root)
        return self[asked]


@pytest.fixture(scope="module")
def exports(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> Exports:
    return Exports(tmp_path_factory.mktemp("exports"), runs)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of several sizes, one of them gray, and what is none."""
    folder, random = tmp_path_factory.mktemp("pictures"), np.random.default_rng(1)
    for number, size in enumerate([(32, 24), (8, 8), (90, 41), (33, 120)]):
        Image.fromarray(random.integers(0, 256, (*size, 3), np.uint8)).save(folder / f"{number}.png")
    Image.fromarray(random.integers(0, 256, (20, 20), np.uint8)).save(folder / "gray.png")
    return folder


STRIDE = 32
"""Pixels of a picture for one unit of what a network says of an edge, where it is coarsest."""


def close(one: Any, other: Any, off: float = 1e-4) -> bool:
    """Whether two JSON values are the same but for rounding."""
    if isinstance(one, dict):
        allowed = {"bbox": STRIDE * off}
        return one.keys() == other.keys() and all(close(one[key], other[key], allowed.get(key, off)) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(close(*pair, off) for pair in zip(one, other, strict=True))
    return one == pytest.approx(other, abs=off) if isinstance(one, float) else one == other


@pytest.mark.parametrize("to", SESSIONS)
@pytest.mark.parametrize("kind", BASES)
def test_a_graph_answers_as_its_run_does(
    runs: dict[str, Path], exports: Exports, pictures: Path, kind: str, to: str
) -> None:
    found = exports[kind, to]
    assert found.file == exports.out / f"{kind}-{to}" / SESSIONS[to]
    assert found.checked is not None
    assert found.checked.images == {"classification": 100}.get(kind, 12)
    assert max(found.checked.largest.values()) <= 1e-4
    assert found.checked.same == 1
    own, exported = answers(runs[kind], [pictures]), answers(found.file, [pictures])
    assert len(own.each) == len(exported.each) == 5
    for one, other in zip(own.each, exported.each, strict=True):
        assert close(one.record, other.record)
    where = runs[kind].relative_to(runs[kind].parents[2])
    assert exported.notes == [f"Asked: {found.file}, exported from {where} by assay 0.1.0."]


def test_onnxruntime_alone_reaches_the_runs_predictions(runs: dict[str, Path], exports: Exports) -> None:
    from sklearn.datasets import load_digits

    session = onnxruntime.InferenceSession(exports["classification", "onnx"].file)
    about = json.loads(session.get_modelmeta().custom_metadata_map["assay"])
    assert about["classes"] == list("0123456789")
    assert about["input"]["shape"] == ["batch", 1, 8, 8]
    assert session.get_inputs()[0].shape == ["batch", 1, 8, 8]
    assert session.get_inputs()[0].type == "tensor(uint8)"
    assert session.get_outputs()[0].shape == ["batch", 10]
    data = json.loads((runs["classification"] / "data.json").read_text())
    assert (about["about"]["mean"], about["about"]["std"]) == (data["mean"], data["std"])
    table = pl.read_parquet(runs["classification"] / "predictions.parquet").filter(pl.col("split") == "test")
    pixels = np.rint(load_digits().images * (255 / 16)).astype(np.uint8)[table["image"].to_numpy()]
    for few in (1, 3, len(pixels)):
        logits = session.run(["logits"], {"images": pixels[:few, None]})[0]
        chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(chances, np.stack(table["probabilities"].to_list())[:few], atol=1e-5)


def test_the_opset_that_is_told_is_the_files(exports: Exports) -> None:
    onnx = pytest.importorskip("onnx")
    found = exports["classification", "onnx"]
    assert [one.version for one in onnx.load(found.file).opset_import if not one.domain] == [found.opset]
    assert f"opset {found.opset}" in (found.folder / "README.md").read_text()


def test_what_no_graph_holds_is_told_and_the_rest_is_inside(exports: Exports) -> None:
    descriptions = {}
    for kind in ("segmentation", "sharpened", "detection"):
        graph, descriptions[kind] = torch_file.read(exports[kind, "torch-export"].file)
        channels, height, width = descriptions[kind]["about"]["shape"]
        outputs = graph(np.zeros((3, channels, height, width), np.uint8))
        assert len(outputs) == len(descriptions[kind]["outputs"])
        assert {len(each) for each in outputs} == {3}
    assert descriptions["segmentation"]["inside"] == ["normalisation", "mirrored", "tiles"]
    assert descriptions["sharpened"]["crf"]["iterations"] == 2
    assert any("random field" in what for what in descriptions["sharpened"]["outside"])
    assert any("boxes stay" in what for what in descriptions["detection"]["outside"])
    assert Selecting(**descriptions["detection"]["selecting"]) == Selecting(score=0.01, most=20)


def test_eight_bits_are_smaller_and_what_they_cost_is_told(
    runs: dict[str, Path], exports: Exports, tmp_path: Path
) -> None:
    run, found = runs["classification"], exports["classification", "onnx"]
    int8 = found.int8
    assert int8 is not None
    assert int8.file.stat().st_size == found.int8_size < found.size
    assert (int8.metric, int8.test_images, int8.calibration_images) == ("accuracy", 359, 200)
    measured = json.loads((run / "metrics.json").read_text())
    assert int8.before == pytest.approx(measured["accuracy"], abs=1e-9)
    from sklearn.datasets import load_digits

    digits = load_digits()
    rows = pl.read_parquet(run / "predictions.parquet").filter(pl.col("split") == "test")["image"].to_numpy()
    pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)[rows, None]
    logits = onnxruntime.InferenceSession(int8.file).run(None, {"images": pixels})[0]
    assert int8.after == pytest.approx((logits.argmax(axis=1) == digits.target[rows]).mean())
    assert int8.difference == pytest.approx(int8.after - int8.before)
    assert int8.low is not None
    assert int8.high is not None
    assert int8.low <= int8.difference <= int8.high
    assert int8.method == "bootstrap over test images, McNemar"
    exact = probabilities(torch.from_numpy(logits[:1]))[0].tolist()
    Image.fromarray(pixels[0, 0]).save(tmp_path / "digit.png")
    assert list(predict(int8.file, [tmp_path / "digit.png"])[0].probabilities.values()) == pytest.approx(exact)


@pytest.mark.parametrize("kind", QUANTISED[1:])
def test_every_task_can_be_put_into_eight_bits(runs: dict[str, Path], exports: Exports, kind: str) -> None:
    found = exports[kind, "onnx"]
    assert found.int8 is not None
    measured = json.loads((runs[kind] / "metrics.json").read_text())
    assert found.int8.before == pytest.approx(measured[found.int8.metric], abs=1e-4)
    assert found.int8.in_words in (found.folder / "README.md").read_text()


def test_eight_bits_that_change_no_answer_are_told_without_an_interval() -> None:
    same = Quantised(Path("x.onnx"), 200, "accuracy", 0.975, 0.975, 360, 0.0, 0.0, 0.0)
    assert same.in_words == (
        "accuracy 97.5 % → 97.5 % on 360 test images, each answered as well as before; "
        "calibrated on 200 training images"
    )
    moved = replace(same, after=0.972, difference=-0.003, low=-0.008, high=0.002)
    assert "lower by 0.3 ± 0.5 points (95 % interval)" in moved.in_words


def test_the_card_has_the_runs_numbers_with_intervals(runs: dict[str, Path], tmp_path: Path) -> None:
    run = runs["classification"]
    export(run, "safetensors", tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    accuracy = json.loads((run / "metrics.json").read_text())["accuracy"]
    assert f"| accuracy | {100 * accuracy:.1f} ± " in card
    for told in ("source: `digits`", "359 test", "Licence of the weights", "from random ones", "assay 0.1.0", "cnn"):
        assert told in card
    assert "how much another one would change is not known" in card
    assert f"licence of the images: {SOURCES['digits'].licence}" in card
    assert f"cite: {SOURCES['digits'].cite}" in card
    assert card.startswith("---\npipeline_tag: image-classification\n")
    assert "Not asked of this run: curves, separation, uncertainty and diagnosis." in card


def test_weights_alone_are_the_runs_with_what_must_be_known_beside(runs: dict[str, Path], tmp_path: Path) -> None:
    run = runs["detection"]
    found = export(run, "safetensors", tmp_path / "out")
    assert found.file.read_bytes() == (run / "model.safetensors").read_bytes()
    about = json.loads((found.folder / "assay.json").read_text())
    assert about["classes"] == json.loads((run / "data.json").read_text())["classes"]
    assert found.checked is None
    assert about["inside"] == []
    assert about["outside"][0] == "normalisation"
    assert "Left to the caller: normalisation; " in (found.folder / "README.md").read_text()


# ------------------------------------------------------------------------------------------- timm and hubs


@pytest.fixture(scope="module")
def residual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of one of timm's networks, on gray digits."""
    data = {"source": "digits", "size": 32, "color": "gray", "train": 100, "test": 40}
    base = {"data": data, "model": {"name": "timm/test_resnet"}, "train": QUICK}
    out = tmp_path_factory.mktemp("timm")
    run_study(Study(title="timm", name="timm", base=base, seeds=1), out, quiet=True)
    return out / "timm" / "base" / "seed-0"


@pytest.mark.parametrize("to", ["timm", "hub"])
def test_timm_builds_the_same_network_from_the_folder(residual: Path, tmp_path: Path, to: str) -> None:
    import timm

    found = export(residual, to, tmp_path / "out")
    network = timm.create_model(f"local-dir:{found.folder}", pretrained=True).eval()
    _, about, own = load_run(residual)
    images = torch.randn(3, 1, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(network(images), own(images))
    config = network.pretrained_cfg
    assert list(config["mean"]) == about["mean"]
    assert list(config["std"]) == about["std"]
    assert list(config["label_names"]) == about["classes"]
    assert found.checked == Checked(40, {"logits": 0.0}, 1.0)
    assert "library_name: timm" in (found.folder / "README.md").read_text()


def test_timm_is_told_what_is_not_its_own(runs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(AssayError, match=r"timm cannot build 'cnn'; expected a network such as timm/resnet18"):
        export(runs["classification"], "timm", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_hub_gets_the_folder_when_it_is_asked_for(
    residual: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    uploaded = {}

    def upload(self: Any, repo_id: str, folder_path: Path, **_: Any) -> None:
        uploaded[repo_id] = sorted(path.name for path in folder_path.iterdir())

    def create(self: Any, name: str, private: bool, exist_ok: bool) -> Any:
        assert private
        return huggingface_hub.RepoUrl(f"https://huggingface.co/me/{name}")

    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", create)
    monkeypatch.setattr(huggingface_hub.HfApi, "upload_folder", upload)
    export(residual, "hub", tmp_path / "kept")
    assert uploaded == {}
    found = export(residual, "hub", tmp_path / "out", push="digits")
    assert found.pushed == "https://huggingface.co/me/digits"
    assert uploaded["me/digits"] == ["README.md", "assay.json", "config.json", "export.json", "model.safetensors"]


def test_without_a_network_the_folder_is_kept(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    def absent(*_: Any, **__: Any) -> None:
        raise OSError("Network is unreachable\nand more")

    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", absent)
    with pytest.raises(AssayError, match=r"--push me/x: the hub took nothing \(Network is unreachable\); what was"):
        export(runs["classification"], "hub", tmp_path / "out", push="me/x")
    assert (tmp_path / "out" / "model.safetensors").is_file()


# ------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"to": "onx"}, "unknown format 'onx'; did you mean 'onnx'?"),
        ({"to": "timm", "int8": True}, "--int8 is of ONNX files; expected --to onnx, found --to timm"),
        ({"to": "onnx", "push": "me/x"}, "--push uploads what --to hub writes; found --to onnx"),
        ({"to": "onnx", "out": "model.onnx"}, "--out model.onnx: expected the name of a folder"),
    ],
)
def test_what_does_not_go_together_is_told(runs: dict[str, Path], options: dict[str, Any], said: str) -> None:
    with pytest.raises(AssayError) as error:
        export(runs["classification"], **options)
    assert said in str(error.value)


def test_a_study_is_no_run_and_what_is_there_stays(runs: dict[str, Path], tmp_path: Path) -> None:
    run = runs["classification"]
    for several in (run.parent, run.parents[1]):
        with pytest.raises(AssayError, match="holds several runs, and one is exported") as error:
            export(several, "onnx", tmp_path / "out")
        assert str(run) in str(error.value)
    with pytest.raises(AssayError, match="there is no run; expected the folder of a finished run"):
        export(tmp_path, "onnx", tmp_path / "out")
    (tmp_path / "out").mkdir()
    with pytest.raises(AssayError, match=r"out exists; remove it, or name another folder"):
        export(run, "onnx", tmp_path / "out")
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    (copy / "status.json").write_text('{"state": "running"}')
    with pytest.raises(AssayError, match="its run is running; expected the folder of a finished run"):
        export(copy, "onnx", tmp_path / "new")


def test_files_that_do_not_answer_are_told_apart(
    runs: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str], pictures: Path
) -> None:
    onnx = pytest.importorskip("onnx")
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    ends = [helper.make_tensor_value_info(name, float32, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "foreign", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, tmp_path / "foreign.onnx")
    (tmp_path / "damaged.onnx").write_bytes(b"no graph")
    (tmp_path / "damaged.pt2").write_bytes(b"no graph")
    for name, said in {
        "foreign.onnx": "was not written by assay export: it does not say how pictures are prepared",
        "damaged.onnx": "damaged.onnx cannot be read",
        "damaged.pt2": "damaged.pt2 cannot be read",
        "absent.onnx": "expected the folder of a finished run, or what assay export wrote",
    }.items():
        ended = assay(capfd, "predict", tmp_path / name, pictures)
        assert ended.status == 2
        assert said in ended.err
    with pytest.raises(AssayError, match="--ensemble takes the folder of a variant"):
        answers(tmp_path / "foreign.onnx", [pictures], ensemble=True)
    with pytest.raises(AssayError, match="--uncertainty asks the network within its layers"):
        show_answers(tmp_path / "foreign.onnx", [pictures], True, False, None, None)


def test_without_the_extra_it_is_named(runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.system.extras.find_spec", lambda name: None)
    with pytest.raises(AssayError, match=r"onnx is not installed: pip install 'assay-studies\[export\]'"):
        export(runs["classification"], "onnx", tmp_path / "out")
    with pytest.raises(AssayError, match="onnxruntime is not installed"):
        onnx_file.read(tmp_path / "model.onnx")


def test_outputs_that_differ_by_more_than_rounding_are_told() -> None:
    assert Checked(100, {"logits": TOLERANCE}, 1.0).agrees
    off = Checked(100, {"boxes": 1e-6, "scores": 2e-4}, 0.98)
    assert not off.agrees
    assert "largest difference 1.0e-06 (boxes, as a share of the longer side), 2.0e-04 (scores)" in off.in_words
    assert off.in_words.endswith("same answers 98 %; the difference is above 0.0001")


def test_the_command_tells_what_is_where(
    runs: dict[str, Path], exports: Exports, tmp_path: Path, capfd: pytest.CaptureFixture[str], pictures: Path
) -> None:
    ended = assay(capfd, "export", runs["multilabel"], "--to", "onnx", "--out", tmp_path / "out", "--json")
    told = json.loads(ended.out)
    assert told["file"] == str(tmp_path / "out" / "model.onnx")
    assert told["checked"]["same"] == 1
    assert json.loads((tmp_path / "out" / "export.json").read_text())["file"] == told["file"]
    ended = assay(capfd, "predict", exports["segmentation", "onnx"].file, pictures, "--out", tmp_path / "drawn")
    assert ended.status == 0
    assert (tmp_path / "drawn" / "gray.mask.png").is_file()
    ended = assay(capfd, "export", runs["classification"], "--to", "onnx", "--int8")
    assert ended.status == 0
    here = runs["classification"] / "export" / "onnx"
    assert ended.out.startswith(f"file: {here / 'model.onnx'} (")
    assert f"8 bits: {here / 'model.int8.onnx'} (" in ended.out
    assert f"model card: {here / 'README.md'}" in ended.out
    ended = assay(capfd, "verify", runs["classification"])
    assert ended.status == 0


def test_a_picture_of_more_bits_is_warned_of_as_by_the_run(exports: Exports, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "deep.png")
    with pytest.warns(PictureWarning, match="more than 8 bits a value"):
        predict(exports["classification", "torch-export"].file, [tmp_path / "deep.png"])
