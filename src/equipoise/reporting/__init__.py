"""What a run shows of itself: the report page and the terminal's table."""

from .console import results_table
from .report import write_report

__all__ = ["results_table", "write_report"]
