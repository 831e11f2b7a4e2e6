"""The report: ``page`` finds results and writes the page, a file per kind of result tells its chapter in ``blocks``."""

from __future__ import annotations

from lilliput.analysis.report.page import find_results, write_report

__all__ = ["find_results", "write_report"]
