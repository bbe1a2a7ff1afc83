"""What ``pip install assay-studies`` brings: the package as it stands, small, and a first study by two commands."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKED = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "MANIFEST.in", "studies", "src/assay")
"""What the wheel is made of."""
LARGEST = 2_000_000
"""Bytes of the wheel."""

pytest.importorskip("setuptools.build_meta", reason="setuptools, which builds the wheel, is not installed")


def process(*command: str | Path, folder: Path) -> str:
    """What a process prints that starts in ``folder`` and sees no checkout."""
    unseen = {"PYTHONPATH", "VIRTUAL_ENV", "ASSAY_DATA"}
    environment = {name: value for name, value in os.environ.items() if name not in unseen}
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources, without a network."""
    folder = tmp_path_factory.mktemp("sources")
    for name in PACKED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(ROOT / name, folder)
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    process(*pip, "--wheel-dir", "dist", ".", folder=folder)
    (built,) = (folder / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel; what it depends on is that of these tests, but for assay itself."""
    folder = tmp_path_factory.mktemp("clean")
    process(sys.executable, "-m", "venv", "--without-pip", folder, folder=folder)
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python"]
    process(*pip, "install", "--no-deps", "--no-index", wheel, folder=folder)
    # a .pth file adds a folder of packages, but follows no .pth file in it, such as that of an editable assay
    (installed(folder).parent / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return folder


def installed(environment: Path) -> Path:
    """The package in an environment."""
    (found,) = environment.glob("lib/python*/site-packages/assay")
    return found


def files(folder: Path) -> dict[str, bytes]:
    """Path below the folder → contents, but for what Python compiled."""
    found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_the_wheel_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size < LARGEST


@pytest.mark.skipif(sys.platform == "win32", reason="environments lie differently there")
def test_what_is_installed_is_the_package_and_its_studies_byte_by_byte(clean: Path) -> None:
    studies = {f"studies/{name}": content for name, content in files(ROOT / "studies").items()}
    assert files(installed(clean)) == files(ROOT / "src" / "assay") | studies


@pytest.mark.skipif(sys.platform == "win32", reason="environments lie differently there")
def test_two_commands_in_an_empty_folder_give_a_verdict_and_a_page(clean: Path, tmp_path: Path) -> None:
    where = process(clean / "bin" / "python", "-c", "import assay; print(assay.__file__)", folder=tmp_path)
    assert Path(where.strip()) == installed(clean) / "__init__.py"
    assay = clean / "bin" / "assay"
    process(assay, "init", folder=tmp_path)
    said = process(assay, "run", "studies/digits.yaml", "--seeds", "1", "--set", "train.epochs=1", folder=tmp_path)
    assert "report: runs/digits/report/index.html" in said
    page = (tmp_path / "runs" / "digits" / "report" / "index.html").read_text(encoding="utf-8")
    assert "Which activation for a small network on handwritten digits?" in page
    assert "</html>" in page
