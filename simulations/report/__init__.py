"""A simulation's two reports: `summary.json` for machines, `report.html` for officers."""

from blindmatch.simulations.report.page import render_page, write_page
from blindmatch.simulations.report.summary import summarise, write_summary

__all__ = ["render_page", "summarise", "write_page", "write_summary"]
