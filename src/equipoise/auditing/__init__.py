"""What may be wrong with the data of a run: findings with stable codes, places in the files, and what to do."""

from .audit import audit
from .codes import CODES, Code
from .downloads import find_downloads
from .findings import LEVELS, Example, Finding, Level, Tally, count_rows, make_finding, show_place, sort_findings
from .parts import AuditedData, Part, gather_parts
from .sampling import sample

__all__ = [
    "CODES",
    "LEVELS",
    "AuditedData",
    "Code",
    "Example",
    "Finding",
    "Level",
    "Part",
    "Tally",
    "audit",
    "count_rows",
    "find_downloads",
    "gather_parts",
    "make_finding",
    "sample",
    "show_place",
    "sort_findings",
]
