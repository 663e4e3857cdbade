"""The way of the data: read, check, split, tokenise, sample."""

from .collating import Collator, gather_scored, pad_rows
from .demonstrations import choose_demonstrations, demonstrate
from .loading import load_table
from .prompting import ChatStyle, PromptEncoder
from .reading import FORMATS, read_rows
from .rows import Rows
from .sampling import MixedLengthSampler, draw_sources
from .table import SplitCounts, Table
from .tokenising import tokenise

__all__ = [
    "FORMATS",
    "ChatStyle",
    "Collator",
    "MixedLengthSampler",
    "PromptEncoder",
    "Rows",
    "SplitCounts",
    "Table",
    "choose_demonstrations",
    "demonstrate",
    "draw_sources",
    "gather_scored",
    "load_table",
    "pad_rows",
    "read_rows",
    "tokenise",
]
