"""What the page calls the variant that the others are compared to."""

from assay.report.section import Folded
from assay.report.sections.results import answer, effect, quality
from assay.report.subject import Subject
from assay.results import Results
from synthetic import fabricate, make_study


def titles(subject):
    return [part.summary for part in answer(subject) if isinstance(part, Folded)]


def test_a_reference_that_the_study_names_is_not_called_its_base(tmp_path):
    subject = Subject(Results.read(fabricate(tmp_path, make_study(3, seeds=3, reference="activation=tanh"))))
    table = quality(subject)
    assert "difference to reference (points)" in [column.heading for column in table.columns]
    assert {row[0].hint for row in table.rows} == {"", "reference"}
    (figure,) = effect(subject)
    assert figure.title == "Difference in accuracy to the reference (activation tanh)"
    assert titles(subject) == ["Every comparison, against the reference"]


def test_the_base_is_called_so_where_nothing_else_is_named(tmp_path):
    subject = Subject(Results.read(fabricate(tmp_path, make_study(2, seeds=3), accuracies=[0.8, 0.9])))
    assert {row[0].hint for row in quality(subject).rows} == {"", "base"}
    (figure,) = effect(subject)
    assert figure.title == "Difference in accuracy to the base (activation relu)"
    assert "line: its interval at 95 % (paired t over seeds)" in figure.caption
    assert titles(subject) == ["Every comparison, against the base and against the best"]


def test_a_choice_by_validation_images_leaves_the_page_its_metrics_of_training(tmp_path):
    results = Results.read(fabricate(tmp_path, make_study(3, seeds=3, select_on="validation")))
    assert "relu was chosen by the validation images" in results.verdict()
    assert results.verdict("train_accuracy").startswith("relu has the highest train accuracy (")
    assert "validation images" not in results.verdict("train_accuracy")
    assert all(titles(subject) for subject in Subject(results).choices)
