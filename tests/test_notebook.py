"""The notebook runs from its first cell to its last, in an empty folder."""

from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="the extra 'dev' is not installed")
nbclient = pytest.importorskip("nbclient", reason="the extra 'dev' is not installed")
pytest.importorskip("ipykernel", reason="the extra 'dev' is not installed")

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each code cell shows, HTML before text."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    resources = {"metadata": {"path": str(tmp_path_factory.mktemp("notebook"))}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    cells = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    return ["".join(text(output) for output in outputs) for outputs in cells]


def text(output: dict[str, object]) -> str:
    data = output.get("data") or {"text/plain": output.get("text", "")}
    assert isinstance(data, dict)
    return str(data.get("text/html", data.get("text/plain", "")))


def test_every_cell_runs_and_results_show_themselves(shown: list[str]) -> None:
    installed, plan, results, compared, table, worst, page = shown
    assert installed == ""
    assert plan == "['hidden=4', 'hidden=16', 'hidden=64']"
    assert "How wide must a small network be?" in results
    assert "hidden=64" in compared
    assert "training_seconds" in table
    assert "loss" in worst
    assert page == "runs/width/report/index.html\n"


def test_it_is_kept_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert all(not cell.outputs and not cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
