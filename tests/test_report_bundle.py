"""The script of the charts, kept between pages."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import vl_convert

from assay.report.bundle import VEGA_LITE, javascript_bundle


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """Each time that vl-convert makes it, into a cache of its own; one process after the other is played by one."""
    calls: list[str] = []

    def bundle(snippet: str, version: str) -> str:
        calls.append(version)
        return f"{snippet} // </script> <!--"

    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(vl_convert, "javascript_bundle", bundle)
    yield calls
    javascript_bundle.cache_clear()


def in_a_new_process() -> str:
    javascript_bundle.cache_clear()
    return javascript_bundle()


def test_it_is_made_once_and_can_stand_in_a_page(made: list[str]) -> None:
    first = in_a_new_process()
    assert in_a_new_process() == first
    assert made == [VEGA_LITE]
    assert "</script" not in first
    assert "<!--" not in first


@pytest.mark.parametrize("damage", [b"", b"alert(1)", b"\xff\xfe\n\xff"])
def test_a_damaged_entry_is_made_anew(made: list[str], tmp_path: Path, damage: bytes) -> None:
    first = in_a_new_process()
    (entry,) = (tmp_path / "cache" / "scripts").glob("*/vega.js")
    entry.write_bytes(damage)
    assert in_a_new_process() == first
    assert in_a_new_process() == first
    assert len(made) == 2


def test_it_is_made_where_nothing_can_be_kept(made: list[str], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    first = in_a_new_process()
    assert in_a_new_process() == first
    assert len(made) == 2
