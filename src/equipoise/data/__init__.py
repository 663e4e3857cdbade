"""The way of the data: read, check, split, tokenize, sample."""

from .collating import Collator, gather_scored, gather_tokens, pad_rows
from .columns import read_tokens
from .demonstrations import choose_demonstrations, demonstrate, order_demonstrations
from .loading import load_table
from .prompting import ChatStyle, PromptEncoder
from .reading import FORMATS, read_rows
from .rows import Rows
from .sampling import EpochSampler, MixedLengthSampler, draw_sources, order_by_length, share_out
from .table import SplitCounts, Table
from .tokenizing import tokenize

__all__ = [
    "FORMATS",
    "ChatStyle",
    "Collator",
    "EpochSampler",
    "MixedLengthSampler",
    "PromptEncoder",
    "Rows",
    "SplitCounts",
    "Table",
    "choose_demonstrations",
    "demonstrate",
    "draw_sources",
    "gather_scored",
    "gather_tokens",
    "load_table",
    "order_by_length",
    "order_demonstrations",
    "pad_rows",
    "read_rows",
    "read_tokens",
    "share_out",
    "tokenize",
]
