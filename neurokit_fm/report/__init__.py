"""Reports: sections of text, tables and figures, written as one HTML file that needs nothing else."""

from neurokit_fm.report.page import Picture, Section, Table, write_report
from neurokit_fm.report.recording import embedding_report

__all__ = ["Picture", "Section", "Table", "embedding_report", "write_report"]
