"""The way of the data: read, check, split, tokenize, sample."""

from .collating import Collator, gather_scored, gather_tokens, pad_rows
from .columns import read_tokens
from .demonstrations import choose_demonstrations, demonstrate, order_demonstrations
from .loading import SourceSplits, join_table, load_table, split_sources
from .prompting import ChatStyle, PromptEncoder
from .reading import FORMATS, read_rows
from .rows import Rows
from .sampling import EpochSampler, MixedLengthSampler, draw_sources, order_by_length, share_out
from .sources import SourceReader, read_once, read_source
from .table import SplitCounts, Table
from .tokenizing import tokenize
from .windows import WindowSampler, find_owners, group_windows, split_windows

__all__ = [
    "FORMATS",
    "ChatStyle",
    "Collator",
    "EpochSampler",
    "MixedLengthSampler",
    "PromptEncoder",
    "Rows",
    "SourceReader",
    "SourceSplits",
    "SplitCounts",
    "Table",
    "WindowSampler",
    "choose_demonstrations",
    "demonstrate",
    "draw_sources",
    "find_owners",
    "gather_scored",
    "gather_tokens",
    "group_windows",
    "join_table",
    "load_table",
    "order_by_length",
    "order_demonstrations",
    "pad_rows",
    "read_once",
    "read_rows",
    "read_source",
    "read_tokens",
    "share_out",
    "split_sources",
    "split_windows",
    "tokenize",
]
