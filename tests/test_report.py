"""The report as files: what is on the page, in the tables and beside it, for studies of every shape."""

import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.report import write_report
from assay.report.document import for_page, json_for_script
from assay.report.sections.classes import figures as per_class
from assay.report.sections.learning import figures as learning
from assay.report.sections.results import effect, levels
from assay.report.subject import Subject
from assay.results import Results
from synthetic import NASTY, fabricate, make_study


def report(tmp_path, study, **options):
    folder = fabricate(tmp_path, study, **options)
    return write_report(Results.read(folder))


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    return report(tmp_path_factory.mktemp("usual"), make_study(3, 3))


class Page(HTMLParser):
    """The elements and the text outside of scripts and styles of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text, self._inside = "", ""
        self.scripts: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts.append(data)
        elif self._inside != "style":
            self.text += data


def charts(path: Path) -> dict:
    return json.loads(Page(path).scripts[0])["specs"]


def test_the_page_answers_the_question_first(usual):
    page = Page(usual)
    results = Results.read(usual.parents[1])
    assert (
        page.text.index("Which activation suits the MLP?")
        < page.text.index(results.verdict())
        < page.text.index("Learning")
    )
    for note in results.notes():
        assert note in page.text


def test_every_figure_is_a_chart_an_svg_a_pdf_and_a_csv(usual):
    names = set(charts(usual))
    assert names >= {"effect", "learning-validation-accuracy", "learning-train-loss", "per-class", "training-time"}
    files = {name for name in names if not name.startswith("effect-")}  # not those of other metrics
    for ending, expected in (("svg", files), ("pdf", files), ("csv", names)):
        assert {f.stem for f in (usual.parent / "figures").glob(f"*.{ending}")} == expected
    assert not [name for name in names if re.search(r"[=,]", name)]
    for file in (usual.parent / "figures").glob("*.svg"):
        assert ElementTree.fromstring(file.read_bytes()).tag == "{http://www.w3.org/2000/svg}svg"
        assert "var(--" not in file.read_text("utf-8")
    shown = {e[1]["data-chart"] for e in Page(usual).elements if "data-chart" in e[1]}
    assert shown == names


def test_nothing_on_the_page_comes_from_elsewhere(usual):
    page = Page(usual)
    for _, attributes in page.elements:
        for key in ("src", "href", "action", "data", "poster", "srcset"):
            address = attributes.get(key) or ""
            assert address.startswith(("data:", "#", "tables/", "figures/")) or not address
            if address.startswith(("tables/", "figures/")):
                assert (usual.parent / unquote(address)).exists()
    policy = next(a["content"] for t, a in page.elements if t == "meta" and a.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src data:")
    assert not re.search(r"@import|url\(", usual.read_text("utf-8").split("</style>")[0])


def test_headings_come_in_order(usual):
    levels = [int(tag[1]) for tag, _ in Page(usual).elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_tables_hold_the_numbers_of_the_results(usual):
    tables, results = usual.parent / "tables", Results.read(usual.parents[1])
    written = pl.read_csv(tables / "results.csv")
    assert written["accuracy"].to_list() == pytest.approx(results.table()["accuracy"].to_list())
    differences = pl.read_csv(tables / "differences.csv")
    assert differences["difference"][0] == pytest.approx(results.compare()[0].difference)
    assert pl.read_csv(tables / "runs.csv").height == 9
    counts = pl.read_csv(tables / "confusion.csv")
    images = results.data(results.finished[0])["counts"]["test"]
    assert counts.group_by("variant").agg(pl.col("count").sum())["count"].to_list() == [3 * images] * 3
    assert r"\textbf{" in (tables / "results.tex").read_text("utf-8")
    assert set(pl.read_csv(usual.parent / "figures" / "effect.csv")["variant"]) == {"activation=elu", "activation=tanh"}


def test_the_dots_of_an_effect_are_the_pairs_whose_mean_it_is(usual):
    results = Results.read(usual.parents[1])
    (figure,) = effect(Subject(results))
    values = results.values("accuracy")
    base = values.pop(results.base)
    assert figure.frame["variant"].unique().sort().to_list() == ["elu", "tanh"]
    for name, own in values.items():
        rows = figure.frame.filter(variant=name.removeprefix("activation="))
        dots = dict(rows.filter(kind="seed").select("seed", "difference").iter_rows())
        assert dots == pytest.approx({seed: 100 * (own[seed] - base[seed]) for seed in base})
        (mean,) = rows.filter(kind="interval")["difference"]
        assert mean == pytest.approx(sum(dots.values()) / len(dots))


def test_a_learning_curve_is_the_mean_of_the_seeds_between_their_extremes(usual):
    results = Results.read(usual.parents[1])
    (curve,) = (f.frame for f in learning(Subject(results)) if f.name == "learning-validation-accuracy")
    percent = 100 * pl.col("validation_accuracy")
    found = curve.filter(variant="elu").sort("epoch")
    history = results.stacked("history").filter(variant="activation=elu").group_by("epoch")
    expected = history.agg(mean=percent.mean(), low=percent.min(), high=percent.max()).sort("epoch")
    for end in ("mean", "low", "high"):
        assert found[end].to_list() == pytest.approx(expected[end].to_list())


def test_the_levels_of_a_factor_changed_alone_are_those_beside_the_bases_others(tmp_path):
    model, train = {"name": "mlp", "dropout": 0.0}, {"epochs": 4, "batch_size": 32}
    base = {"data": {"source": "digits"}, "model": model, "train": train}
    vary = {"model.dropout": [0.0, 0.2, 0.5], "train.batch_size": [16, 32, 64, 128]}
    study = make_study(base=base, vary=vary, design="one_at_a_time", seeds=1)
    found = {f.name: f.frame for f in levels(Subject(Results.read(fabricate(tmp_path, study))))}
    for key, alone in vary.items():
        assert found[f"levels-{key}"]["level"].sort().to_list() == alone


def test_of_many_classes_the_hardest_are_shown(tmp_path):
    names = [f"c{i:02d}" for i in range(30)]
    results = Results.read(fabricate(tmp_path, make_study(2, 2), classes=names, images=300))
    (figure,) = per_class(Subject(results))
    rows = itertools.chain(*figure.chart.to_dict()["datasets"].values())
    shown = {row["class"] for row in rows if "class" in row}
    means = figure.frame.filter(pl.col("measure") != "f1").group_by("class").agg(pl.col("mean").mean())
    hardest = means.sort("mean")["mean"][len(shown) - 1]
    assert len(shown) == 24
    assert means.filter(pl.col("class").is_in(sorted(shown)))["mean"].max() <= hardest
    assert set(figure.frame["class"]) == set(names)


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_the_best_variant_comes_first_whichever_way_is_better(tmp_path, metric):
    folder = fabricate(tmp_path, make_study(3, 2), accuracies=[0.7, 0.9, 0.8])
    for path in folder.rglob("metrics.json"):
        found = json.loads(path.read_text())
        path.write_text(json.dumps({metric: found["accuracy"] if metric == "accuracy" else 1 - found["accuracy"]}))
    subject = Subject(Results.read(folder))
    assert subject.metric == metric
    assert [name.partition("=")[2] for name in subject.order] == ["elu", "tanh", "relu"]


@pytest.mark.parametrize(
    ("change", "comparable"), [({"label_smoothing": 0.1}, False), ({"class_weights": "inverse"}, True)]
)
def test_losses_of_different_kinds_are_not_drawn_side_by_side(tmp_path, change, comparable):
    losses = {"plain": {}, "changed": {"train.loss": {"name": "cross_entropy"} | change}}
    results = Results.read(fabricate(tmp_path, make_study().model_copy(update={"vary": {}, "variants": losses})))
    drawn = {figure.name for figure in learning(Subject(results))}
    assert "learning-validation-accuracy" in drawn
    assert ("learning-validation-loss" in drawn) == comparable


def test_the_report_can_be_written_again_and_is_the_same(usual):
    before = {f: f.read_bytes() for f in usual.parent.rglob("*") if f.is_file()}
    write_report(Results.read(usual.parents[1]))
    assert {f: f.read_bytes() for f in usual.parent.rglob("*") if f.is_file()} == before


def test_what_an_earlier_state_of_the_study_left_is_removed(tmp_path):
    page = report(tmp_path, make_study(1, 1), images=20)
    stale = [page.parent / "tables" / "old.csv", page.parent / "figures" / "confusion-gone.svg"]
    for path in stale:
        path.write_text("old")
    write_report(Results.read(page.parent.parent))
    assert not any(path.exists() for path in stale)
    assert (page.parent / "tables" / "results.csv").exists()


def test_hostile_names_are_text_everywhere(tmp_path, usual):
    classes = ["</script><script>document.title='bad'</script>", "=SUM(A1)", "\u202egnp.exe", "<!--<script>"]
    skipped = [("=cmd|'/C calc'!A0.png", "truncated"), ("<i>.png", "not an image")]
    failed = {(NASTY[0], 1): "failed"}
    study = make_study(5, 3, nasty=True)
    path = report(tmp_path, study, classes=classes, skipped=skipped, states=failed, reason="<b>bad</b> file")
    page = Page(path)
    tags = [tag for tag, _ in page.elements]
    assert tags.count("script") == [tag for tag, _ in Page(usual).elements].count("script")
    assert not {"b", "i"} & set(tags)
    assert not any(key.startswith("on") for _, attributes in page.elements for key in attributes)
    for text in [*NASTY, *classes, study.title, "<b>bad</b> file", "<i>.png"]:
        assert text in page.text
    assert "{{ 7*7 }}" in page.text
    assert set(pl.read_csv(path.parent / "figures" / "per-class.csv")["class"]) >= {"'=SUM(A1)", classes[0]}
    assert pl.read_csv(path.parent / "tables" / "skipped.csv")["image"][0].startswith("'=cmd")
    for file in (path.parent / "figures").glob("*.svg"):
        assert not list(ElementTree.fromstring(file.read_bytes()).iter("{http://www.w3.org/2000/svg}script"))


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_cannot_leave_its_script(value):
    text = json_for_script(value)
    assert "<" not in text
    assert json.loads(text) == value


def test_the_colours_of_data_are_left_alone():
    spec = {"mark": {"color": "#0072b2"}, "datasets": {"d": [{"variant": "#0072b2"}]}, "scale": {"domain": ["#0072b2"]}}
    page = for_page(spec)
    assert page["mark"]["color"] == "var(--c0)"
    assert page["datasets"] == spec["datasets"]
    assert page["scale"] == spec["scale"]


def test_one_variant_one_seed_without_validation(tmp_path):
    path = report(tmp_path, make_study(1, 1), validation=False)
    names = set(charts(path))
    assert "effect" not in names
    assert "learning-validation-accuracy" not in names
    assert "learning-train-accuracy" in names
    assert "bands" not in Page(path).text


def test_no_run_has_finished(tmp_path):
    states = {("activation=relu", 0): "failed", ("activation=elu", 0): "waiting"}
    path = report(tmp_path, make_study(2, 1), states=states)
    assert charts(path) == {}
    assert "No run has finished yet" in Page(path).text
    assert "the loss is not finite at epoch 2" in Page(path).text


def test_a_numeric_factor_has_its_own_chart(tmp_path):
    base = {"data": {"source": "digits"}, "model": {"name": "mlp", "dropout": 0.2}, "train": {"epochs": 8}}
    path = report(tmp_path, make_study(base=base, vary={"model.dropout": [0.0, 0.2, 0.5, None]}, seeds=2))
    frame = pl.read_csv(path.parent / "figures" / "levels-model.dropout.csv")
    assert sorted(set(frame["level"])) == [0.0, 0.2, 0.5]
    assert frame.filter(kind="interval").height == 3
    assert frame.filter(kind="seed").height == 6


def test_many_variants_and_many_classes_stay_small(tmp_path):
    vary = {"train.batch_size": [8, 16, 32, 64, 128, 256], "model.activation": ["relu", "tanh"]}
    path = report(tmp_path, make_study(vary=vary, seeds=1), classes=[f"class {i:03d}" for i in range(100)], images=400)
    assert len([name for name in charts(path) if name.startswith("confusion")]) == 2
    assert "24 hardest of 100 classes" in Page(path).text
    assert pl.read_csv(path.parent / "figures" / "per-class.csv")["class"].n_unique() == 100
    assert pl.read_csv(path.parent / "tables" / "confusion.csv")["variant"].n_unique() == 12
    assert path.stat().st_size < 6_000_000
