"""The same few pictures in every form in which they come: folders, Parquet, Hugging Face, WebDataset."""

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

CLASSES = ("cat", "dog")
SPLITS = {"train": 24, "validation": 8, "test": 12}
"""Split → pictures."""
FORMS = ("folder", "parquet", "hf", "webdataset")


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def pictures(side: int = 16) -> dict[str, list[tuple[str, str, bytes]]]:
    """Split → (class, name, PNG) of each, by class and name: dogs are brighter."""
    found = {}
    for split, n in SPLITS.items():
        rng = np.random.default_rng(len(split))
        found[split] = [
            (name, f"{k:02d}.png", png(rng.integers(90 * place, 90 * place + 160, (side, side, 3)).astype(np.uint8)))
            for place, name in enumerate(CLASSES)
            for k in range(n // 2)
        ]
    return found


def written(form: str, folder: Path) -> str:
    """The pictures in one of ``FORMS``; returns ``data.source`` with ``folder`` as the data root."""
    folder.mkdir(parents=True, exist_ok=True)
    return {"folder": _folder, "parquet": _parquet, "hf": _hugging_face, "webdataset": _webdataset}[form](folder)


def _folder(root: Path) -> str:
    for split, each in pictures().items():
        for label, name, content in each:
            path = root / "pets" / split / label / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return "pets"


def _parquet(root: Path) -> str:
    """As Hugging Face lays them out, two files of the training split among them."""
    (root / "pets-parquet").mkdir()
    for split, each in pictures().items():
        halves = (each[:7], each[7:]) if split == "train" else (each,)
        for number, half in enumerate(halves):
            parquet(root / "pets-parquet" / f"{split}-{number:05d}-of-{len(halves):05d}.parquet", half)
    return "parquet:pets-parquet"


def parquet(path: Path, rows: Sequence[tuple[Any, str, bytes | None]], **columns: list[Any]) -> Path:
    images = [{"bytes": content, "path": name} for _, name, content in rows]
    labels = {"label": [label for label, _, _ in rows]}
    pl.DataFrame({"image": images, **labels, **columns}, strict=False).write_parquet(path)
    return path


def _hugging_face(root: Path) -> str:
    datasets = library()
    found = {split: dataset(each) for split, each in pictures().items()}
    quietly(lambda: datasets.DatasetDict(found).save_to_disk(str(root / "pets-hf")))
    return "hf:pets-hf"


def dataset(rows: Sequence[tuple[Any, str, bytes]], features: Mapping[str, Any] | None = None, **columns: Any) -> Any:
    """A set of Hugging Face's with an image and a label a row, and more columns by their features."""
    datasets = library()
    cells = {
        "image": [{"bytes": content, "path": name} for _, name, content in rows],
        "label": [label for label, _, _ in rows],
        **columns,
    }
    kinds = {"image": datasets.Image(), "label": datasets.ClassLabel(names=list(CLASSES)), **(features or {})}
    return datasets.Dataset.from_dict(cells, features=datasets.Features(kinds))


def library() -> Any:
    """Hugging Face's ``datasets``; the test is skipped where it is not installed."""
    return pytest.importorskip("datasets", reason="the extra 'hf' is not installed")


def quietly(act: Any) -> None:
    """Without the progress that ``datasets`` shows."""
    datasets = library()
    datasets.disable_progress_bars()
    try:
        act()
    finally:
        datasets.enable_progress_bars()


def _webdataset(root: Path) -> str:
    for split, each in pictures().items():
        halves = (each[:7], each[7:]) if split == "train" else (each,)
        for number, half in enumerate(halves):
            samples = [
                {"png": content, "json" if split == "test" else "cls": _said(label, split)}
                for label, _, content in half
            ]
            shard(root / f"pets-{split}-{number:06d}.tar", samples)
    return "webdataset:pets-*.tar"


def _said(label: str, split: str) -> bytes:
    return json.dumps({"cls": label}).encode() if split == "test" else label.encode()


def shard(path: Path, samples: Sequence[Mapping[str, bytes]]) -> Path:
    """A tar of samples: ending → content."""
    with tarfile.open(path, "w") as archive:
        for number, sample in enumerate(samples):
            for ending, content in sample.items():
                member = tarfile.TarInfo(f"{number:06d}.{ending}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path
