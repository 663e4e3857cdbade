"""What a run, a comparison or experts show of themselves: the page and the terminal's table."""

from .compare import comparison_table, write_comparison
from .console import results_table
from .experts import experts_table, write_experts
from .report import write_report

__all__ = ["comparison_table", "experts_table", "results_table", "write_comparison", "write_experts", "write_report"]
