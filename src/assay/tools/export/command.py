"""``assay export``: what was written, told."""

import sys
from pathlib import Path

from assay.errors import size_text
from assay.runs.display import Display
from assay.tools.documents import plain
from assay.tools.export.exported import CARD, Exported
from assay.tools.export.exporting import export
from assay.tools.terminal import print_json


def show_export(
    run: Path, to: str, out: Path | None, int8: bool, push: str | None, data: Path | None, as_json: bool
) -> None:
    """Export, and print what lies where and how near it is to torch.

    Raises AssayError as ``export`` does; outputs that differ by more than rounding are warned of on standard error.
    """
    with Display() as display, display.decoding("the images") as decoding:
        found = export(run, to, out, int8, push, data, decoding)
    if found.checked and not found.checked.agrees:
        print(f"assay: {found.checked.in_words}", file=sys.stderr)
    if as_json:
        return print_json(plain(found) | {"card": found.folder / CARD})
    print("\n".join(lines(found)))


def lines(found: Exported) -> list[str]:
    """A line for each thing that is there or was found out."""
    opset = f", opset {found.opset}" if found.opset else ""
    told = [f"file: {found.file} ({size_text(found.size)}{opset})"]
    told += [f"check: {found.checked.in_words}"] if found.checked else []
    if found.int8 and found.int8_size:
        told.append(f"8 bits: {found.int8.file} ({size_text(found.int8_size)}); {found.int8.in_words}")
    told.append(f"model card: {found.folder / CARD}")
    return told + ([f"pushed: {found.pushed}"] if found.pushed else [])
