"""The report: one page that answers the study's question, with its tables and figures beside it as files."""

from assay.report.page import write_report as write_report
