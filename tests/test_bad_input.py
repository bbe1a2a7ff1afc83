"""Bad input: one clear sentence that says what, where and what was expected; status 2; nothing trained or lost.

Every test goes through the command line, as a user does. What a room does with bad input in detail is tested there.
"""

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from command import STUDY, Outcome, assay, write_study

Command = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """``assay run`` of a study file with other fields, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ASSAY_DATA", raising=False)

    def command(*arguments: str | Path, **changes: Any) -> Outcome:
        return assay(capfd, "run", write_study(Path("s.yaml"), **changes), *arguments)

    return command


def refused(ended: Outcome, *sentences: str) -> None:
    """The command ended with status 2, these sentences and nothing else, before it trained anything."""
    lines = ended.err.splitlines()
    assert ended.status == 2, ended
    assert ended.out == ""
    assert len(lines) == len(sentences), ended.err
    for line, sentence in zip(lines, sentences, strict=True):
        assert line.startswith("assay: ")
        assert sentence in line
    assert not list(Path("runs").rglob("status.json"))


def base(**sections: dict[str, Any]) -> dict[str, Any]:
    """The base recipe with other values in its sections."""
    return {"base": {name: {**values, **sections.get(name, {})} for name, values in STUDY["base"].items()}}


# ------------------------------------------------------------------------------------------ the recipe


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("train.epocs=3", "base: unknown key 'train.epocs'; did you mean 'epochs'?"),
        ("data.train=.inf", "base: data.train: found inf, expected a share between 0 and 1"),
        ("evaluate=[]", "base: evaluate: found [], expected at least one measure"),
        ("evaluate=[{name: separation, images: 0}]", "base: evaluate.0.images: found 0, expected more than 0"),
        (
            "evaluate=[{name: separation, splits: [test], indices: [cross_separation]}]",
            "base: evaluate.0: cross_separation compares with the training images, so 'train' is expected among splits",
        ),
        ("evaluate=[{name: separation, splits: []}]", "base: evaluate.0: splits: expected at least one, found none"),
        ("trian.epochs=3", "base: unknown key 'trian'; did you mean 'train'?"),
        ("train=3", "base: train: found 3, expected keys and values"),
        ("train.batch_size=0", "base: train.batch_size: found 0, expected more than 0"),
        ("train.batch_size=1.5", "base: train.batch_size: found 1.5, expected a whole number"),
        ("train.epochs=0", "base: train.epochs: found 0, expected more than 0"),
        ("train.epochs=true", "base: train.epochs: found True, expected a whole number"),
        ("train.epochs='3'", "base: train.epochs: found '3', expected a whole number"),
        ("train.phases=[{epochs: true}]", "base: train.phases.0.epochs: found True, expected a whole number"),
        (
            "train.schedule={name: multi_step, at: [2, true]}",
            "base: train.schedule.at.1: found True, expected a whole number",
        ),
        ("train.l1=true", "base: train.l1: found True, expected a number"),
        ("train.optimizer.lr='0.1'", "base: train.optimizer.lr: found '0.1', expected a number"),
        (
            "evaluate=[{name: classification, top_k: [true]}]",
            "base: evaluate.0.top_k.0: found True, expected a whole number",
        ),
        ("train.channels_last=maybe", "base: train.channels_last: found 'maybe', expected true or false"),
        ("train.optimizer.lr=fast", "base: train.optimizer.lr: found 'fast', expected a number"),
        ("train.optimizer.lr=-1", "base: train.optimizer.lr: found -1, expected more than 0"),
        ("train.optimizer.lr=.inf", "base: train.optimizer.lr: found inf, expected a finite number"),
        ("train.optimizer=adm", "base: train.optimizer: unknown name 'adm'; did you mean 'adam'"),
        (
            "train.optimizer.betas=[0.9, 0.99]",
            "base: unknown key 'train.optimizer.betas'; expected one of: decayed, layer_decay,",
        ),
        ("train.schedule=cosin", "base: train.schedule: unknown name 'cosin'; did you mean 'cosine'?"),
        ("train.schedule=multi_step", "base: the key 'train.schedule.at' is missing"),
        ("train.loss=[mse]", "base: train.loss: found ['mse'], expected a name, or keys and values with a name"),
        ("train.keep=bets", "base: train.keep: found 'bets'; did you mean 'best'?"),
        ("train.device=gpu", "base: train.device: found 'gpu', expected auto, cpu, mps, cuda"),
        ("evaluate=[clasification]", "base: evaluate.0: unknown name 'clasification'; did you mean 'classification'?"),
        ("evaluate=[cost, classification, cost]", "base: evaluate: 'cost' is listed twice"),
        ("evaluate=cost", "base: evaluate: found 'cost', expected a list"),
        ("data.size=true", "base: data.size: found True, expected a whole number"),
        ("data.augment=[{rotation: true}]", "base: data.augment.0.amount: found True, expected a number"),
        ("model.head=[{dropout: '0.5'}]", "base: model.head.0.amount: found '0.5', expected a number"),
        ("data.size=0", "base: data.size: found 0, expected more than 0"),
        ("data.size=[8, 0]", "base: data.size.1: found 0, expected more than 0"),
        ("data.normalize=stand", "base: data.normalize: found 'stand'; did you mean 'standard'?"),
        ("data.normalize={mean: [0]}", "base: the key 'data.normalize.std' is missing"),
        ("model.pretrained=3", "base: model.pretrained: found 3, expected true, false, the path of a file of weights"),
        ("model.pretrained=1", "base: model.pretrained: found 1, expected true, false, the path of a file of weights"),
        ("model.strict=1", "base: model.strict: found 1, expected true or false"),
        ("train.channels_last=1", "base: train.channels_last: found 1, expected true or false"),
        ("model.freeze=3", "base: model.freeze: found 3, expected none, backbone, a pattern on names of modules"),
        ("data.color=blue", "base: data.color: found 'blue'; expected one of: gray, rgb"),
        ("data.validation=1.5", "base: data.validation: found 1.5, expected a share between 0 and 1 or a whole number"),
        ("data.augment=[flip]", "base: data.augment.0: unknown augmentation 'flip'; expected one of: brightness,"),
        ("data.augment=[{rotation: fast}]", "base: data.augment.0.amount: found 'fast', expected a number"),
        ("task=detectoin", "base: task: found 'detectoin'; did you mean 'detection'?"),
        ("seed=1", "base: seed: a study lists its seeds under 'seeds'"),
    ],
)
def test_a_recipe_that_cannot_be(run: Command, change: str, sentence: str) -> None:
    refused(run("--set", change), f"assay: s.yaml --set {change}: {sentence}")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("evaluate=[{name: separation, layers: ['conv*']}]", "layers: no layer is called 'conv*'; expected one of:"),
        ("data.size=1000000000", "decoding digits needs 1,713,752,746,582,031 MiB"),
        ("train.batch_size=1", "train.batch_size: 1 is too small for a batch norm that learns"),
    ],
)
def test_a_recipe_that_does_not_fit_its_data_or_network(run: Command, change: str, sentence: str) -> None:
    network = {"name": "mlp", "hidden": [8], "norm": "batch"}
    refused(run("--set", change, **base(model=network)), sentence)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("train.epochs", "--set train.epochs: expected KEY=VALUE, for example train.epochs=3"),
        ("=3", "--set =3: expected KEY=VALUE"),
        ("train..epochs=3", "--set train..epochs=3: expected KEY=VALUE"),
        ("train.epochs=[3", "--set train.epochs=[3: the value is not valid YAML: expected ',' or ']'"),
        ("train.epochs.x=3", "train.epochs.x: epochs is 1, which has no parts to set"),
        ("model.activation=relu", "the study varies 'model.activation'; change its levels in s.yaml instead"),
    ],
)
def test_a_change_that_cannot_be(run: Command, change: str, sentence: str) -> None:
    refused(run("--set", change), sentence)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ({"name": "mpl"}, "unknown model 'mpl'; did you mean 'mlp'?"),
        ({"hiden": [3]}, "model 'mlp' has no argument 'hiden'; did you mean 'hidden'?"),
        ({"hidden": 3}, "model.hidden: found 3, expected a list of whole numbers above 0"),
        ({"dropout": 1.5}, "model.dropout: found 1.5, expected a probability, at least 0 and below 1"),
        ({"dropout": "high"}, "model.dropout: found 'high', expected a probability, at least 0 and below 1"),
        ({"activation": "rleu"}, "model.activation: found 'rleu'; did you mean 'relu'"),
        (
            {"name": "rcnn", "proposals": {"mode": "slow"}},
            "model.proposals.mode: found 'slow'; expected one of: fast, quality, single",
        ),
        ({"name": "rcnn", "proposals": {"mod": "fast"}}, "unknown key 'model.proposals.mod'; did you mean 'mode'?"),
        ({"name": "rcnn", "proposals": {"scale": 9}}, "model.proposals.scale: found 9, expected at most 4"),
    ],
)
def test_a_model_that_cannot_be(run: Command, model: dict[str, Any], sentence: str) -> None:
    refused(run(**base(model=model), vary=None), sentence)


def test_one_wrong_variant_trains_nothing(run: Command) -> None:
    refused(run(vary={"model.dropout": [0.1, 1.1]}), "model.dropout: found 1.1, expected a probability")
    refused(run(vary={"model.name": ["mlp", "cmn"]}), "unknown model 'cmn'; did you mean 'cnn'?")
    refused(run(vary={"train.batch_size": [8, 0]}), "s.yaml: variant 'batch_size=0': train.batch_size: found 0")
    deep = {"name": "cnn", "channels": [4] * 5}
    refused(run(vary={"model": [{"name": "mlp"}, deep]}), "images of 8×8 are too small for this network")


def test_a_loss_that_does_not_fit_the_classes(run: Command) -> None:
    sentence = "train.loss: binary_cross_entropy needs 2 classes, and the data has 10; use cross_entropy"
    refused(run("--set", "train.loss=binary_cross_entropy"), sentence)


# -------------------------------------------------------------------------------------- the study file


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        ({"base": None}, ["s.yaml: the key 'base' is missing"]),
        ({"title": None}, ["s.yaml: the key 'title' is missing"]),
        ({"title": ""}, ["s.yaml: title: found '', expected some text"]),
        ({"titel": "T"}, ["s.yaml: unknown key 'titel'; did you mean 'title'?"]),
        ({"name": "../up"}, ["s.yaml: name: '../up' cannot name a folder; '_up' could"]),
        ({"base": {"data": {"source": "digits"}}, "vary": None}, ["s.yaml: base: the key 'model' is missing"]),
        ({**base(train={"epochs": 0, "bacth": 1})}, ["train.epochs: found 0", "unknown key 'train.bacth'"]),
        ({"vary": {"train.epocs": [1, 2]}}, ["variant 'epocs=1': unknown key 'train.epocs'; did you mean 'epochs'?"]),
        ({"vary": {"model.activation": []}}, ["vary: model.activation: expected a list of levels, found []"]),
        ({"vary": {"model.activation": "relu"}}, ["vary: model.activation: expected a list of levels, found 'relu'"]),
        ({"vary": {"model.activation": ["relu", "relu"]}}, ["two variants are called 'activation=relu'; is a level"]),
        ({"vary": ["model.activation"]}, ["s.yaml: vary: found ['model.activation'], expected keys and values"]),
        ({"vary": {"seed": [1, 2]}}, ["'seed' cannot be varied; list the seeds under 'seeds'"]),
        ({"variants": {"a": {}}}, ["'vary' and 'variants' exclude each other"]),
        ({"vary": None, "variants": {"a": 3}}, ["s.yaml: variants.a: found 3, expected keys and values"]),
        ({"design": "one_at_time"}, ["s.yaml: design: found 'one_at_time'; did you mean 'one_at_a_time'?"]),
        ({"seeds": 0}, ["s.yaml: seeds: found 0, expected more than 0"]),
        ({"seeds": True}, ["s.yaml: seeds: found True, expected a whole number"]),
        ({"seeds": "3"}, ["s.yaml: seeds: found '3', expected a whole number"]),
        ({"seeds": [0, True]}, ["s.yaml: seeds.1: found True, expected a whole number"]),
        ({"seeds": "three"}, ["s.yaml: seeds: found 'three', expected a whole number"]),
        ({"seeds": [1, 1]}, ["seeds: expected a number of seeds, or a list of different ones"]),
        ({"seeds": []}, ["seeds: expected a number of seeds, or a list of different ones"]),
        ({"seeds": [0, -1]}, ["s.yaml: seeds.1: found -1, expected at least 0"]),
    ],
)
def test_a_study_that_cannot_be(run: Command, changes: dict[str, Any], sentences: list[str]) -> None:
    refused(run(**changes), *sentences)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "s.yaml: expected keys and values, found nothing"),
        (b"- a\n- b\n", "s.yaml: expected keys and values, found something else"),
        (b"title: [a\nbase: }\n", "s.yaml is not valid YAML: expected ',' or ']', but got ':' (line 2, column 5)"),
        (b"title: T\nbase:\n\tdata: 3\n", "s.yaml is not valid YAML: found character '\\t'"),
        (b"base:\n  data: 1\n  model: 2\n  data: 3\n", "the key 'data' stands twice (line 4, column 3)"),
        (b"title: !!python/object/apply:os.mkdir [evil]\n", "s.yaml is not valid YAML: could not determine"),
        (b"title: " + b"[" * 5000, "s.yaml is not valid YAML: it is nested too deeply"),
        (b"title: *nobody\n", "s.yaml is not valid YAML: found undefined alias 'nobody'"),
        (b"a\0b", "s.yaml is not valid YAML: unacceptable character #x0000"),
        (b"\x89PNG\r\n\x1a\n\0\0", "s.yaml is not text in UTF-8"),
        ("title: café\n".encode("latin-1"), "s.yaml is not text in UTF-8"),
    ],
)
def test_a_file_that_is_no_study(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, content: bytes, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_bytes(content)
    refused(assay(capfd, "run", "s.yaml"), sentence)
    assert [path.name for path in tmp_path.iterdir()] == ["s.yaml"]


def test_a_value_of_any_size_is_told_in_a_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    aliases = "".join(f"  - &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    Path("s.yaml").write_text(f"base: {{}}\ntitle:\n  - &a0 x\n{aliases}")
    ended = assay(capfd, "run", "s.yaml")
    assert len(ended.err) < 500
    refused(ended, "s.yaml: title: found [")


def test_a_study_that_is_not_there(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_study(Path("activation.yaml"))
    refused(assay(capfd, "run", "activaton.yaml"), "there is no file activaton.yaml; did you mean 'activation.yaml'?")
    refused(assay(capfd, "run", "no/such.yaml"), "there is no file no/such.yaml")
    Path("folder.yaml").mkdir()
    refused(assay(capfd, "run", "folder.yaml"), "there is no file folder.yaml/study.yaml")


def test_a_study_is_neither_data_nor_a_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_study(Path("s.yaml"))
    rank = assay(capfd, "rank", "s.yaml", "--models", "timm/resnet18")
    refused(rank, "data source 's.yaml' is a study or a recipe; expected a folder or zip")
    for command in (("probe", "s.yaml"), ("predict", "s.yaml", "s.yaml"), ("refit", "s.yaml")):
        refused(assay(capfd, *command), "s.yaml: there is no run; expected the folder of a finished run")


# --------------------------------------------------------------------------------------------- the data


def png(value: int = 0, side: int = 8) -> bytes:
    """A gray picture as a file."""
    buffer = io.BytesIO()
    Image.new("L", (side, side), value).save(buffer, "PNG")
    return buffer.getvalue()


def varied() -> bytes:
    """The same, not of one colour."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((8, 8)).save(buffer, "PNG")
    return buffer.getvalue()


TWO_CLASSES = {f"{name}/{n}.png": png(20 * n) for name in "ab" for n in range(12)}


def as_folder(name: str, tree: dict[str, bytes]) -> None:
    """Pictures in ``data/NAME``; a name that ends in a slash is an empty folder."""
    for path, content in tree.items():
        place = Path("data", name, path)
        (place if path.endswith("/") else place.parent).mkdir(parents=True, exist_ok=True)
        if not path.endswith("/"):
            place.write_bytes(content)


def as_zip(name: str, tree: dict[str, bytes]) -> Path:
    """Pictures in ``data/NAME.zip``."""
    Path("data").mkdir(exist_ok=True)
    with zipfile.ZipFile(f"data/{name}.zip", "w") as archive:
        for path, content in tree.items():
            archive.writestr(path, content)
    return Path(f"data/{name}.zip")


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        (
            {**TWO_CLASSES, "a/e.png": b""},
            "data/set has images or labels that cannot be read: a/e.png (not an image); mend them or set",
        ),
        (
            {**TWO_CLASSES, "a/t.png": b"words"},
            "data/set has images or labels that cannot be read: a/t.png (not an image)",
        ),
        (
            {**TWO_CLASSES, "a/c.png": png(side=99)[:60]},
            "data/set has images or labels that cannot be read: a/c.png (image file is trunc",
        ),
        ({**TWO_CLASSES, "c/": b""}, "class folder 'c' of data/set has no picture"),
        ({"a/1.png": png(), "a/2.png": png()}, "data/set has only one class, 'a'; at least two are needed"),
        ({"1.png": png(), "2.png": png()}, "data/set has pictures but no class folders around them"),
        ({"a/notes.txt": b"x"}, "data/set holds no picture"),
        (
            {**TWO_CLASSES, "a/big.png": png(side=9)},
            "differ in height×width (a/0.png 8×8, a/big.png 9×9); set data.size",
        ),
        ({"a/1.png": varied(), "b/1.png": varied()}, "data.test: 0.2 of 2 images is none; that split would be empty"),
    ],
)
@pytest.mark.parametrize("make", [as_folder, as_zip])
def test_pictures_that_cannot_be_studied(
    run: Command, make: Callable[[str, dict[str, bytes]], None], tree: dict[str, bytes], sentence: str
) -> None:
    make("set", tree)
    expected = sentence.replace("data/set", "data/set.zip") if make is as_zip else sentence
    refused(run(**base(data={"source": "set"})), expected)


def test_bad_pictures_are_skipped_on_request_and_listed_in_the_report(run: Command) -> None:
    as_folder("set", {**TWO_CLASSES, "a/empty.png": b"", "b/words.png": b"words"})
    ended = run(**base(data={"source": "set", "on_bad_image": "skip"}), vary=None)
    assert ended.status == 0, ended.err
    skipped = json.loads(Path("runs/s/base/seed-0/data.json").read_text())["skipped"]
    assert skipped == [["a/empty.png", "not an image"], ["b/words.png", "not an image"]]
    page = Path("runs/s/report/index.html").read_text(encoding="utf-8")
    assert "a/empty.png" in page
    assert "b/words.png" in page


def test_a_class_that_loses_every_picture_is_not_skipped(run: Command) -> None:
    as_folder("set", {**TWO_CLASSES, "c/1.png": b"", "c/2.png": b""})
    ended = run(**base(data={"source": "set", "on_bad_image": "skip"}))
    refused(ended, "class 'c' of data/set has no readable image")


@pytest.mark.parametrize(
    "entry", ["../evil.png", "a/../../evil.png", "/tmp/evil.png", "a\\..\\evil.png", "C:/evil.png"]
)
def test_a_zip_that_climbs_out(run: Command, entry: str) -> None:
    as_zip("set", {**TWO_CLASSES, entry: png()})
    inside = entry.replace("\\", "/")
    refused(run(**base(data={"source": "set"})), f"data/set.zip is refused: its entry {inside!r} is not a plain path")
    assert not list(Path().rglob("evil.png"))


def test_a_zip_that_is_none(run: Command) -> None:
    whole = as_zip("set", TWO_CLASSES).read_bytes()
    for content in (whole[: len(whole) // 2], b"words", b""):
        Path("data/set.zip").write_bytes(content)
        ended = run(**base(data={"source": "set"}))
        refused(ended, "data/set.zip is not a whole zip file: truncated, or of another kind")


def test_a_source_that_is_not_there(run: Command) -> None:
    ended = run("--set", "data.source=digit")
    refused(ended, "unknown data source 'digit'; did you mean 'digits'? (looked in 'data' (no such folder)")
    refused(ended, "--data FOLDER or $ASSAY_DATA says where data lie")
    as_folder("flowers", TWO_CLASSES)
    refused(run("--set", "data.source=flower"), "unknown data source 'flower'; did you mean 'flowers' or 'flowers102'?")


def test_a_data_root_that_is_not_there(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(run("--data", "/no/where"), "the data root '/no/where' (from --data) is not a folder")
    refused(run("--data", "s.yaml"), "the data root 's.yaml' (from --data) is not a folder")
    monkeypatch.setenv("ASSAY_DATA", "/no/where")
    refused(run(), "the data root '/no/where' (from $ASSAY_DATA) is not a folder")


def write_fashion(cut: str = "", keep: int = 0) -> None:
    """Fashion-MNIST's four files with 20 + 20 images; the file that begins with ``cut`` keeps its first bytes."""
    folder = Path("data/fashion-mnist")
    folder.mkdir(parents=True, exist_ok=True)
    labels = (np.arange(20) % 10).astype(np.uint8)
    for split in ("train", "t10k"):
        images = struct.pack(">4I", 0x803, 20, 28, 28) + bytes(20 * 28 * 28)
        files = {f"{split}-images-idx3-ubyte": images, f"{split}-labels-idx1-ubyte": struct.pack(">2I", 0x801, 20)}
        files[f"{split}-labels-idx1-ubyte"] += labels.tobytes()
        for name, content in files.items():
            packed = gzip.compress(content)
            (folder / f"{name}.gz").write_bytes(packed[:keep] if cut and name.startswith(cut) else packed)


def test_fashion_mnist_that_is_damaged(run: Command) -> None:
    fashion = base(data={"source": "fashion-mnist", "validation": 0.5})
    write_fashion(cut="train-images", keep=40)
    refused(run(**fashion), "data/fashion-mnist/train-images-idx3-ubyte.gz is a truncated or damaged gzip file")
    write_fashion(cut="t10k-labels", keep=0)
    refused(run(**fashion), "data/fashion-mnist/t10k-labels-idx1-ubyte.gz is not an idx file: it begins with nothing")
    write_fashion()
    Path("data/fashion-mnist/t10k-labels-idx1-ubyte.gz").write_bytes(struct.pack(">2I", 0x801, 20) + bytes(7))
    refused(run(**fashion), "t10k-labels-idx1-ubyte.gz is truncated or damaged: 20 values need 20 bytes, it holds 7")
    Path("data/fashion-mnist/t10k-labels-idx1-ubyte.gz").unlink()
    refused(run(**fashion), "fashion-mnist in 'data/fashion-mnist' is incomplete: t10k-labels-idx1-ubyte is missing")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"validation": 2000}, "data.validation asks for 2,000 images and there are 1,438 to take them from"),
        ({"test": 1}, "data.test: 1 takes all 1,797 images; the train split would be empty"),
        ({"train": 5}, "data.train: 5 would leave class"),
        ({"validation": 0}, "train.keep: best needs validation images, and data.validation is 0"),
        ({"augment": [{"crop": 1.5}]}, "data.augment crop: 1.5 is not a whole number of pixels"),
    ],
)
def test_splits_and_augmentations_that_cannot_be(run: Command, data: dict[str, Any], sentence: str) -> None:
    refused(run(**base(data=data)), sentence)


# --------------------------------------------------------------------------------------- run folders


def test_a_run_folder_of_another_study_is_refused_and_kept(run: Command) -> None:
    assert run(vary=None).status == 0
    before = {path: path.read_bytes() for path in Path("runs").rglob("seed-0/*")}
    ended = run("--set", "train.epochs=2", vary=None)
    assert ended.status == 2
    sentence = "runs/s belongs to another study: train.epochs is 1 there and 2 here; choose another --out"
    assert sentence in ended.err
    assert len(ended.err.splitlines()) == 1
    assert {path: path.read_bytes() for path in Path("runs").rglob("seed-0/*")} == before


@pytest.mark.parametrize("name", ["status.json", "metrics.json", "recipe.yaml", "history.parquet"])
def test_a_damaged_file_of_a_finished_run_is_named(run: Command, capfd: pytest.CaptureFixture[str], name: str) -> None:
    assert run(vary=None).status == 0
    damaged = Path("runs/s/base/seed-0") / name
    damaged.write_text("{ half a fi")
    again, told = run(vary=None), assay(capfd, "report", "runs/s")
    assert again.status == (2 if name == "recipe.yaml" else 1)
    assert told.status == 0
    for ended in (again, told):
        assert str(damaged.parent) in ended.err
        assert name in ended.err


def test_a_study_folder_that_cannot_be(run: Command) -> None:
    Path("taken").write_text("a file")
    ended = run("--out", "taken")
    assert ended.status in (1, 2)
    assert "taken" in ended.err
    assert len(ended.err.splitlines()) == 1
