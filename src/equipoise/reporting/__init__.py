"""What a run or a comparison shows of itself: the page and the terminal's table."""

from .compare import comparison_table, write_comparison
from .console import results_table
from .report import write_report

__all__ = ["comparison_table", "results_table", "write_comparison", "write_report"]
