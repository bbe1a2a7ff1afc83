"""The only place that maps a task to the sections of its page. Importing it imports no section."""

SECTIONS: dict[str, tuple[str, ...]] = {
    "classification": (
        "assay.report.sections.results:section",
        "assay.report.sections.learning:section",
        "assay.report.sections.classes:section",
        "assay.report.sections.layers:section",
        "assay.report.sections.uncertainty:section",
        "assay.report.sections.cost:section",
        "assay.report.sections.pictures:section",
        "assay.report.sections.missing:section",
        "assay.report.sections.reproduce:section",
    ),
    "regression": (
        "assay.report.sections.results:section",
        "assay.report.sections.learning:section",
        "assay.report.sections.values:section",
        "assay.report.sections.layers:section",
        "assay.report.sections.intervals:section",
        "assay.report.sections.cost:section",
        "assay.report.sections.values_pictures:section",
        "assay.report.sections.missing:section",
        "assay.report.sections.reproduce:section",
    ),
    "multilabel": (
        "assay.report.sections.results:section",
        "assay.report.sections.learning:section",
        "assay.report.sections.labels:section",
        "assay.report.sections.cost:section",
        "assay.report.sections.labels_pictures:section",
        "assay.report.sections.missing:section",
        "assay.report.sections.reproduce:section",
    ),
    "segmentation": (
        "assay.report.sections.results:section",
        "assay.report.sections.learning:section",
        "assay.report.sections.segments:section",
        "assay.report.sections.uncertainty:section",
        "assay.report.sections.cost:section",
        "assay.report.sections.segments_pictures:section",
        "assay.report.sections.missing:section",
        "assay.report.sections.reproduce:section",
    ),
    "detection": (
        "assay.report.sections.results:section",
        "assay.report.sections.learning:section",
        "assay.report.sections.cost:section",
        "assay.report.sections.missing:section",
        "assay.report.sections.reproduce:section",
    ),
}
"""Task → where the functions are that make its sections, ``section(subject) -> Section | None``, in order."""
