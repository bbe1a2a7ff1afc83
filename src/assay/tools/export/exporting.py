"""From a finished run to a folder with what others read, checked against torch, and a model card."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from assay.errors import AssayError, unknown
from assay.system.extras import need
from assay.system.files import write, write_json
from assay.tools.answering import Answering
from assay.tools.documents import plain
from assay.tools.export import int8 as eight_bits
from assay.tools.export import onnx_file, torch_file
from assay.tools.export.card import card
from assay.tools.export.checking import IMAGES, Checked, Side, checked
from assay.tools.export.exported import CARD, Exported
from assay.tools.export.graph import Graph, Whole, traced, whole
from assay.tools.export.hub import push_folder
from assay.tools.export.reading import READERS, answering
from assay.tools.export.source import Progress, Source, source
from assay.tools.export.weights_files import is_timms, read_timm, write_safetensors, write_timm
from assay.tools.predict import answering_of

FOLDER = "export"
"""Inside the run's folder, with a folder for each format."""
NUMBERS = "export.json"


def export(
    run: str | Path,
    to: str,
    out: str | Path | None = None,
    int8: bool = False,
    push: str | None = None,
    root: str | Path | None = None,
    decoding: Progress | None = None,
) -> Exported:
    """Write the network of a finished run to a new folder, ``out`` or ``export/<to>`` in the run's own.

    ``to`` is one of ``WRITERS``. ``int8`` adds an ONNX file in 8 bits; ``push`` names the repository of a hub that
    the folder is uploaded to. ``root`` is the data root; ``decoding`` is called with (images done, images to do).

    Raises AssayError for another format, the folder of several runs or of an unfinished one, an ``out`` that exists,
    data that are no longer those of the run, absent packages, and a network that the format cannot hold; where the
    upload fails, the folder stays.
    """
    if to not in WRITERS:
        raise unknown("format", to, WRITERS)
    if int8 and to != "onnx":
        raise AssayError(f"--int8 is of ONNX files; expected --to onnx, found --to {to}")
    if push is not None and to != "hub":
        raise AssayError(f"--push uploads what --to hub writes; found --to {to}")
    asked = source(Path(run), None if root is None else Path(root), decoding)
    folder = Path(run) / FOLDER / to if out is None else Path(out)
    with new_folder(folder) as draft:
        found = WRITERS[to](asked, draft)
        if int8:
            found = in_eight_bits(asked, found)
        write(draft / CARD, card(asked, found))
        found = moved(found, folder)
        write_json(draft / NUMBERS, plain(found))
    return found if push is None else replace(found, pushed=push_folder(folder, push))


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder beside the place of ``folder``, which comes there once it is complete, and is gone where it fails.

    AssayError where something is there, or where the name is that of a file of an export.
    """
    if folder.suffix in (*READERS, ".safetensors"):
        raise AssayError(
            f"--out {folder}: expected the name of a folder, in which the file is called model{folder.suffix}"
        )
    if folder.exists():
        raise AssayError(f"--out {folder} exists; remove it, or name another folder")
    draft = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def moved(found: Exported, folder: Path) -> Exported:
    """The same in its final place."""
    int8 = found.int8 and replace(found.int8, file=folder / found.int8.file.name)
    return replace(found, file=folder / found.file.name, int8=int8)


def to_onnx(asked: Source, folder: Path) -> Exported:
    """``model.onnx``."""
    need("onnx", "onnxscript", "onnxruntime", extra="export")
    path, network = folder / "model.onnx", whole(asked.model, asked.recipe, asked.about)
    opset = onnx_file.write(traced(network, asked.about["shape"]), asked.description, path)
    return replace(of_graph("onnx", asked, network, path), opset=opset)


def to_torch(asked: Source, folder: Path) -> Exported:
    """``model.pt2``."""
    path, network = folder / "model.pt2", whole(asked.model, asked.recipe, asked.about)
    torch_file.write(traced(network, asked.about["shape"]), asked.description, path)
    return of_graph("torch-export", asked, network, path)


def of_graph(to: str, asked: Source, network: Whole, path: Path) -> Exported:
    """A written graph, checked: its outputs against the network's, its answers against those of the run."""
    graph = READERS[path.suffix](path)[0]
    file = Side(graph, answering(graph, asked.description).ask)
    return Exported(to, path, path.stat().st_size, checked=check(asked, Side(network.graph, on_cpu(asked).ask), file))


def on_cpu(asked: Source) -> Answering:
    """What answers as ``assay predict`` lets the run answer, on the processor, as the file does."""
    return answering_of(asked.run, "cpu")


def check(asked: Source, own: Side, file: Side) -> Checked:
    """On test images."""
    names, pixels = list(asked.description["outputs"]), asked.pixels("test", IMAGES)
    return checked(asked.recipe.task, names, own, file, pixels, asked.batch)


def to_safetensors(asked: Source, folder: Path) -> Exported:
    """``model.safetensors``, with assay.json and recipe.yaml."""
    path = write_safetensors(asked, folder)
    return Exported("safetensors", path, path.stat().st_size)


def to_timm(asked: Source, folder: Path) -> Exported:
    """``model.safetensors`` and ``config.json`` in timm's layout, asked as timm loads them."""
    path = write_timm(asked, folder)
    sides = [side(asked, graph) for graph in (plain_network(asked), read_timm(folder, asked.about))]
    return Exported("timm", path, path.stat().st_size, checked=check(asked, *sides))


def plain_network(asked: Source) -> Graph:
    """The network without what is around it."""
    return Whole(asked.model, asked.about["mean"], asked.about["std"]).eval().graph


def side(asked: Source, graph: Graph) -> Side:
    """A graph that answers by itself."""
    return Side(graph, answering(graph, asked.description).ask)


def to_hub(asked: Source, folder: Path) -> Exported:
    """What a hub shows and loads: in timm's layout where timm can build the network, else weights with their JSON."""
    if is_timms(asked):
        return replace(to_timm(asked, folder), format="hub")
    return replace(to_safetensors(asked, folder), format="hub")


def in_eight_bits(asked: Source, found: Exported) -> Exported:
    """With ``model.int8.onnx`` beside the file."""
    path, calibration = found.file.with_name("model.int8.onnx"), asked.pixels("train", eight_bits.CALIBRATION)
    eight_bits.write(found.file, path, calibration)
    graphs = (READERS[".onnx"](each)[0] for each in (found.file, path))
    before, after = (answering(graph, asked.description).ask for graph in graphs)
    int8 = eight_bits.compared(asked, path, len(calibration), before, after)
    return replace(found, int8=int8, int8_size=path.stat().st_size)


WRITERS: dict[str, Callable[[Source, Path], Exported]] = {
    "onnx": to_onnx,
    "torch-export": to_torch,
    "safetensors": to_safetensors,
    "timm": to_timm,
    "hub": to_hub,
}
"""Name → what writes it into an empty folder."""
