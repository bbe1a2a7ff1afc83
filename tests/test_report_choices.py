"""What the page is about, what its author says on it, and what its words mean."""

import json
import re

import polars as pl
import pytest

from assay.errors import AssayError
from assay.recipe.study import load_study
from assay.report import write_report
from assay.report.glossary import TERMS, with_terms
from assay.report.markdown import markdown
from assay.report.subject import Subject
from assay.results import Results
from assay.runs.engine import run
from command import write_study
from synthetic import CLASSES, fabricate, make_study


def first_verdict(page):
    return re.search(r'<p class="verdict[^"]*" data-view="([^"]+)">([^<]*)</p>', page.read_text("utf-8")).groups()


def test_the_study_says_what_the_page_is_about_and_the_reader_of_a_report_overrules_it(tmp_path):
    results = Results.read(fabricate(tmp_path, make_study(3, 3, metric="f1_macro")))
    assert first_verdict(write_report(results)) == ("f1_macro", results.verdict("f1_macro"))
    assert first_verdict(write_report(results, "loss")) == ("loss", results.verdict("loss"))
    with pytest.raises(AssayError, match="unknown metric 'los'; did you mean 'loss'"):
        write_report(results, "los")


def test_every_metric_to_choose_has_its_verdict_on_the_page_and_none_stands_twice(tmp_path):
    results = Results.read(fabricate(tmp_path, make_study(3, 3)))
    text = write_report(results).read_text("utf-8")
    views = re.findall(r'<p class="verdict[^"]*" data-view="([^"]+)"', text)
    assert views == [one.metric for one in Subject(results).choices] == list(dict.fromkeys(views))
    assert {"accuracy", "f1_macro", "loss", "parameters"} <= set(views)
    assert not {"validation_loss", "trainable_parameters"} & set(views)  # of other images; as parameters
    anchors = re.findall(r'id="([^"]+)"', text)
    assert len(anchors) == len(set(anchors))


def test_one_variant_leaves_nothing_to_choose(tmp_path):
    assert "<select>" not in write_report(Results.read(fabricate(tmp_path, make_study(1, 3)))).read_text("utf-8")


def test_many_draws_over_the_test_images_are_not_made_unasked(tmp_path):
    results = Results.read(fabricate(tmp_path, make_study(5, 1, name="many"), images=2_000))
    assert "loss" not in [one.metric for one in Subject(results).choices]
    results = Results.read(fabricate(tmp_path, make_study(2, 1), images=100))
    assert "loss" in [one.metric for one in Subject(results).choices]


def test_a_metric_that_was_not_measured_is_told_and_one_that_nothing_is_called_refused(tmp_path):
    results = Results.read(fabricate(tmp_path, make_study(2, 2, metric="si_test")))
    assert results.metric == "accuracy"
    told = "The study asks for SI-test, which no finished run has; accuracy leads instead."
    assert told in results.notes()
    assert f"</span> {told}</p>" in write_report(results).read_text("utf-8").partition("</header>")[0]
    assert f"</span> {told}</p>" not in write_report(results, "loss").read_text("utf-8")
    with pytest.raises(AssayError, match="unknown metric 'acuracy'; did you mean 'accuracy'"):
        run(load_study(write_study(tmp_path / "tiny.yaml", metric="acuracy")), tmp_path / "runs", quiet=True)


def test_the_author_writes_markdown_and_no_html():
    shown = markdown(
        "# Why\n\n**bold** <b>no</b> [bad](javascript:alert(1)) ![far](http://x/y.png)\n\n<script>x</script>"
    )
    assert "<h3>Why</h3>" in shown
    assert "<strong>bold</strong> &lt;b&gt;no&lt;/b&gt;" in shown
    assert set(re.findall(r"<(\w+)", shown)) <= {"h3", "p", "strong", "a"}
    assert not re.search(r'href="javascript', shown)


def test_the_authors_notes_and_the_day_stand_on_the_page(tmp_path):
    study = make_study(2, 2, notes="Two networks, *one* question.")
    text = write_report(Results.read(fabricate(tmp_path, study))).read_text("utf-8")
    assert "<p>Two networks, <em>one</em> question.</p>" in text
    assert re.search(r'<time datetime="(\d{4}-\d\d-\d\d)">\1</time>', text)
    assert 'id="author"' not in write_report(
        Results.read(fabricate(tmp_path, make_study(2, 2, name="without")))
    ).read_text("utf-8")


def test_a_term_is_marked_once_in_a_text_the_longest_of_several_and_the_rest_is_escaped():
    shown = with_terms("<i> mean of the 95 % t interval, t interval and MACs; SIZE")
    assert re.findall(r'popovertarget="([^"]+)">([^<]+)<', shown) == [
        ("term-t", "95 % t interval"),
        ("term-macs", "MACs"),
    ]
    assert "&lt;i&gt;" in shown
    assert re.sub(r"<[^>]+>", "", shown) == "&lt;i&gt; mean of the 95 % t interval, t interval and MACs; SIZE"


def test_every_way_to_write_a_term_belongs_to_one():
    words = [word for term in TERMS for word in term.words]
    assert len(words) == len(set(words))
    assert len({term.anchor for term in TERMS}) == len(TERMS)


def test_all_answers_of_the_best_variant_lie_beside_the_page_with_the_names_of_classes(tmp_path):
    results = Results.read(fabricate(tmp_path, make_study(2, 2)))
    answers = pl.read_csv(write_report(results).parent / "tables" / "answers.csv")
    seed = answers.filter(seed=1)
    told = results.predictions(results.run(results.best(), 1)).filter(split="test")
    assert answers.columns == ["seed", "image", "true", "predicted", "confidence"]
    assert seed["true"].to_list() == [CLASSES[i] for i in told["label"]]
    assert seed["predicted"].to_list() == [CLASSES[i] for i in told["predicted"]]


def test_a_class_without_test_images_is_named_and_in_no_mean(tmp_path):
    folder = fabricate(tmp_path, make_study(2, 1))
    for path in folder.glob("*/seed-0/metrics.json"):
        values = json.loads(path.read_text())
        values["support_per_class"][3] = 0
        for name in ("precision", "recall", "f1"):
            values[f"{name}_per_class"][3] = None
        path.write_text(json.dumps(values))
    page = write_report(Results.read(folder))
    assert "in no mean over classes: <bdi>sandal</bdi>" in re.sub(r"\s+", " ", page.read_text("utf-8"))
    rows = pl.read_csv(page.parent / "tables" / "per-class.csv").filter(pl.col("class") == "sandal")
    assert rows["mean"].null_count() == rows.height == 6
