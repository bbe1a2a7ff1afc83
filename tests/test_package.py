"""The package's face: its functions, the old names that still import, the old calls that say where they went."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml

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


def test_a_face_shows_the_function_and_not_the_module_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "__init__.py").write_text(
        "from assay.faces import face\n__getattr__, __dir__, __all__ = face(__name__, __file__)\n"
    )
    (tmp_path / "box" / "__init__.pyi").write_text("from .lid import lid as lid\nfrom .lid import other as other\n")
    (tmp_path / "box" / "lid.py").write_text("def lid():\n    return 'closed'\nother = 5\n")
    text = "import box; print(box.other, box.lid(), dir(box), hasattr(box, 'absent')); from box import *; print(other)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    ended = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout == "5 closed ['lid', 'other'] False\n5\n"


def test_what_is_cited_is_this_version() -> None:
    cited = yaml.safe_load((Path(__file__).parents[1] / "CITATION.cff").read_text(encoding="utf-8"))
    assert (cited["title"], cited["version"]) == ("assay", package.__version__)
