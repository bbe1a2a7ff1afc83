"""The measure uncertainty: from the recipe to metrics and tables, and what it refuses before training."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from pydantic import ValidationError

from assay.errors import AssayError
from assay.evaluate import measure
from assay.evaluate.uncertainty import calibration_from
from assay.recipe import Recipe
from assay.recipe.study import Study
from assay.report.page import write_report
from assay.results.metrics import is_share, label, lower_is_better
from assay.runs.engine import run as run_study
from assay.tools.names import names
from assay.uncertainty import scores
from trained import image_data, trained

METHODS = ("plain", "temperature", "injected")


def options(**own: Any) -> dict[str, Any]:
    return {"name": "uncertainty", "passes": 4, **own}


def test_metrics_and_tables_of_every_method() -> None:
    run = trained(evaluate=[options(bins=5)])
    found = measure(run)
    said = run.predictions["test"]
    plain = scores(said.probabilities, said.labels, 5)
    assert {f"{name}_plain": found[f"{name}_plain"] for name in plain} == {
        f"{name}_plain": pytest.approx(value, rel=1e-5) for name, value in plain.items()
    }
    for method in METHODS:
        assert {"nll", "brier", "ece", "adaptive_ece", "aurc", "accuracy", "accuracy_at_90"} <= {
            name.removesuffix(f"_{method}") for name in found if name.endswith(method)
        }
    tables = {name: value for name, value in found.items() if isinstance(value, pl.DataFrame)}
    assert set(tables) == {"reliability", "risk_coverage"}
    assert tables["reliability"].group_by("method").agg(pl.col("images").sum())["images"].to_list() == [9] * 3
    assert tables["risk_coverage"]["method"].unique(maintain_order=True).to_list() == list(METHODS)
    assert tables["risk_coverage"].group_by("method").agg(pl.col("coverage").max())["coverage"].to_list() == [1.0] * 3
    calibration = calibration_from(json.loads(json.dumps({k: v for k, v in found.items() if k not in tables})))
    assert calibration.nll["temperature"] <= calibration.nll["plain"] + 1e-9


def test_a_network_with_dropout_is_measured_with_its_own_too() -> None:
    from assay.models import build
    from assay.recipe import Model

    data = image_data()
    model = build(Model(name="mlp", hidden=[4], dropout=0.5), data.shape, 3)
    assert "nll_trained" in measure(trained(data, model, evaluate=[options(layers=["dense1"])]))


def test_the_same_twice() -> None:
    one, two = (measure(trained(evaluate=[options()])) for _ in range(2))
    assert all(str(one[name]) == str(two[name]) for name in one)


def test_a_class_absent_from_validation_is_named() -> None:
    data = image_data(validation=2)
    assert measure(trained(data, evaluate=[options()]))["absent_from_validation"] == [2]


def test_without_validation_it_is_refused_in_the_recipe() -> None:
    values = {"data": {"source": "digits", "validation": 0}, "model": {"name": "mlp"}, "train": {"keep": "last"}}
    with pytest.raises(ValidationError, match="uncertainty needs validation images, and data"):
        Recipe.model_validate({**values, "evaluate": ["uncertainty"]})


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"passes": 1}, "passes: found 1, expected at least 2"),
        ({"layers": ["dnese1"]}, "no layer is called 'dnese1'; did you mean 'dense1'"),
        ({"bins": 0}, "bins"),
    ],
)
def test_mistakes_are_told_before_training(tmp_path: Path, own: dict[str, Any], words: str) -> None:
    from assay.recipe.study import load_study

    base = {"data": {"source": "digits"}, "model": {"name": "mlp", "hidden": [4]}, "evaluate": [options(**own)]}
    (tmp_path / "s.yaml").write_text(yaml.safe_dump({"title": "t", "base": base, "seeds": 1}))
    with pytest.raises(AssayError, match=words):
        run_study(load_study(tmp_path / "s.yaml"), tmp_path / "runs", quiet=True)
    assert not list(tmp_path.glob("runs/**/status.json"))


def test_the_recipes_without_it_keep_their_hash() -> None:
    base = {"data": {"source": "digits"}, "model": {"name": "mlp"}}
    assert "uncertainty" not in str(Recipe.model_validate(base).dump())


def test_its_names_are_known() -> None:
    assert "passes=50" in names("measures")["uncertainty"]
    assert label("nll_injected") == "negative log-likelihood (injected)"
    assert all(lower_is_better(f"{name}_plain") for name in ("nll", "brier", "ece", "adaptive_ece", "aurc"))
    assert not any(lower_is_better(f"{name}_temperature") for name in ("auroc", "accuracy", "accuracy_at_90"))
    assert is_share("accuracy_at_90_plain")
    assert not is_share("nll_plain")


def test_a_study_keeps_the_tables(tmp_path: Path) -> None:
    base = {
        "data": {"source": "digits", "train": 0.3},
        "model": {"name": "mlp", "hidden": [8]},
        "train": {"epochs": 1},
        "evaluate": ["classification", options()],
    }
    results = run_study(Study(title="t", name="s", base=base, seeds=1), tmp_path, quiet=True)
    assert '<section id="uncertainty">' in write_report(results).read_text(encoding="utf-8")
    run = results.finished[0].folder
    assert pl.read_parquet(run / "reliability.parquet").height
    assert pl.read_parquet(run / "risk_coverage.parquet").height
    assert results.metrics(results.finished[0])["nll_plain"] == pytest.approx(
        results.metrics(results.finished[0])["loss"], rel=1e-4
    )
