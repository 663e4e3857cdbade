"""What a run, a comparison, experts or difficulty show of themselves: the page and the terminal's table."""

from .card import write_card
from .check import check_page_file, count_classes, describe_findings, findings_table, rows_table, write_check
from .compare import comparison_table, write_comparison
from .compare_results import (
    ComparedRow,
    ComparedTask,
    ComparisonResults,
    Course,
    Estimate,
    FailedTraining,
    SeedsEstimate,
    read_tests,
)
from .conclusions import conclude
from .console import results_table, show_run
from .difficulty import correlations_table, difficulty_table, write_difficulty
from .experts import experts_table, write_experts
from .merge import merge_table, write_merge
from .merge_results import (
    Candidate,
    CellTime,
    MergeResults,
    Parameter,
    RowKind,
    RowResult,
    SearchResult,
    TaskResult,
    WeakCounts,
)
from .mix import mix_table, write_mix
from .mix_results import GainRange, MixCost, MixPair, MixResults, MixTarget, TrainedPair, Verdict
from .report import write_report

__all__ = [
    "Candidate",
    "CellTime",
    "ComparedRow",
    "ComparedTask",
    "ComparisonResults",
    "Course",
    "Estimate",
    "FailedTraining",
    "GainRange",
    "MergeResults",
    "MixCost",
    "MixPair",
    "MixResults",
    "MixTarget",
    "Parameter",
    "RowKind",
    "RowResult",
    "SearchResult",
    "SeedsEstimate",
    "TaskResult",
    "TrainedPair",
    "Verdict",
    "WeakCounts",
    "check_page_file",
    "comparison_table",
    "conclude",
    "correlations_table",
    "count_classes",
    "describe_findings",
    "difficulty_table",
    "experts_table",
    "findings_table",
    "merge_table",
    "mix_table",
    "read_tests",
    "results_table",
    "rows_table",
    "show_run",
    "write_card",
    "write_check",
    "write_comparison",
    "write_difficulty",
    "write_experts",
    "write_merge",
    "write_mix",
    "write_report",
]
