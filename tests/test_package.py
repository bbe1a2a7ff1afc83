"""The package's face: its functions, the old names that still import, the old calls that say where they went."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import assay as package
from assay import AssayError
from assay.moved import MOVED
from synthetic import fabricate, make_study


@pytest.mark.parametrize("old", MOVED)
def test_an_old_name_is_the_module_under_its_new_one(old: str) -> None:
    assert import_module(old) is import_module(MOVED[old])


def test_a_name_that_never_was_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"assay\.compute"):
        import_module("assay.compute")


def test_the_room_and_the_function_of_one_name_live_together(tmp_path: Path) -> None:
    from assay.report import write_report

    results = package.Results.read(fabricate(tmp_path, make_study()))
    assert package.report(results) == write_report(results) == tmp_path / "synthetic" / "report" / "index.html"


def test_old_calls_say_where_they_went(tmp_path: Path) -> None:
    study = make_study()
    with pytest.raises(AssayError, match=r"study\.run\(…\) is now assay\.run\(study, …\)"):
        study.run("runs", jobs=2)
    with pytest.raises(AssayError, match=r"results\.report\(\) is now assay\.report\(results\)"):
        package.Results.read(fabricate(tmp_path, study)).report()
    with pytest.raises(AssayError, match=r"results\.layers\(\) is now results\.stacked\('separation'\)"):
        package.Results.read(tmp_path / study.name).layers()
    assert not hasattr(package.Results.read(tmp_path / study.name), "anything")


def test_importing_the_package_imports_nothing_heavy() -> None:
    text = "import sys, assay, assay.ranking; print({'torch', 'altair', 'polars', 'pydantic'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout == "set()\n"
