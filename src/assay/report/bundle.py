"""The script that draws the charts of every page: Vega, Vega-Lite and Vega-Embed in one."""

import hashlib
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

import altair as alt
import vl_convert

from assay.data.publish import entry_folder, make, touch
from assay.errors import AssayError
from assay.system.files import write

VEGA_LITE = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
SNIPPET = "window.vegaEmbed = vegaEmbed;"
KIND, FILE = "scripts", "vega.js"


@cache
def javascript_bundle() -> str:
    """From the installed vl-convert; sets ``window.vegaEmbed``. To bundle it takes longer than all else of a small
    page, so it is kept in the cache, where that can be written."""
    folder = entry_folder(KIND, f"{version('vl-convert-python')} {VEGA_LITE} {SNIPPET}")
    kept = _read(folder)
    if kept is not None:
        touch(folder)
        return kept
    bundle: str = vl_convert.javascript_bundle(SNIPPET, VEGA_LITE)
    bundle = bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    with suppress(AssayError):
        make(folder, lambda place: write(place / FILE, _signed(bundle)), _read)
    return bundle


def _signed(text: str) -> bytes:
    """Behind its digest, so that a damaged file is not taken for a script."""
    content = text.encode()
    return hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def _read(folder: Path) -> str | None:
    """The script of an entry; None where there is none or it is damaged."""
    try:
        kept = (folder / FILE).read_bytes()
        text = kept.partition(b"\n")[2].decode()
    except (OSError, UnicodeDecodeError):
        return None
    return text if kept == _signed(text) else None
