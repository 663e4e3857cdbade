"""The way of the data: read, check, split, tokenise, sample."""

from .checking import as_text
from .collating import Collator
from .loading import load_table
from .reading import FORMATS, read_rows
from .rows import Rows
from .sampling import MixedLengthSampler
from .table import SplitCounts, Table
from .tokenising import tokenise

__all__ = [
    "FORMATS",
    "Collator",
    "MixedLengthSampler",
    "Rows",
    "SplitCounts",
    "Table",
    "as_text",
    "load_table",
    "read_rows",
    "tokenise",
]
