"""The way of the data: read, check, split, tokenize, sample."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cells import give_back, pack
    from .collating import Collator, gather_scored, gather_tokens, pad_rows, split_offsets
    from .demonstrations import choose_demonstrations, demonstrate, order_demonstrations
    from .documents import find_rows_inside
    from .encodings import detect_encoding
    from .faults import Faults
    from .flat_rows import EncodedRows, FlatRows, RowBatch, as_batch, spread
    from .frames import are_tables, check_table, is_missing, read_columns
    from .given import GIVEN_FOLDER, GivenTables, gather_tables, given_strangers, locate_tables
    from .headers import find_lower_header, read_head, refuse_title
    from .in_memory import make_dataset
    from .loading import SourceSplits, join_table, load_table, split_sources
    from .merging import find_repeated
    from .nested import MISSING, find_cell, list_nested
    from .prompting import ChatStyle, PromptEncoder
    from .reading import FORMATS, read_rows
    from .row_stream import STREAMS, Meter, RowStream, find_ending, stream_lines, stream_rows, stream_texts
    from .rows import BadRow, EmptyText, Place, Rows
    from .sampling import EpochSampler, MixedLengthSampler, draw_sources, order_by_length, share_out
    from .source_cells import clean_html
    from .sources import SPLITS, SourceReader, read_once, read_source
    from .spellings import find_joined_names, is_nothing, propose_map
    from .spreadsheet import list_sheets, open_sheet
    from .table import SplitCounts, Table
    from .text_encoder import TextEncoder
    from .tokenizing import tokenize
    from .window_sampler import WindowSampler
    from .windows import find_owners, group_windows, split_windows

__all__ = [
    "FORMATS",
    "GIVEN_FOLDER",
    "MISSING",
    "SPLITS",
    "STREAMS",
    "BadRow",
    "ChatStyle",
    "Collator",
    "EmptyText",
    "EncodedRows",
    "EpochSampler",
    "Faults",
    "FlatRows",
    "GivenTables",
    "Meter",
    "MixedLengthSampler",
    "Place",
    "PromptEncoder",
    "RowBatch",
    "RowStream",
    "Rows",
    "SourceReader",
    "SourceSplits",
    "SplitCounts",
    "Table",
    "TextEncoder",
    "WindowSampler",
    "are_tables",
    "as_batch",
    "check_table",
    "choose_demonstrations",
    "clean_html",
    "demonstrate",
    "detect_encoding",
    "draw_sources",
    "find_cell",
    "find_ending",
    "find_joined_names",
    "find_lower_header",
    "find_owners",
    "find_repeated",
    "find_rows_inside",
    "gather_scored",
    "gather_tables",
    "gather_tokens",
    "give_back",
    "given_strangers",
    "group_windows",
    "is_missing",
    "is_nothing",
    "join_table",
    "list_nested",
    "list_sheets",
    "load_table",
    "locate_tables",
    "make_dataset",
    "open_sheet",
    "order_by_length",
    "order_demonstrations",
    "pack",
    "pad_rows",
    "propose_map",
    "read_columns",
    "read_head",
    "read_once",
    "read_rows",
    "read_source",
    "refuse_title",
    "share_out",
    "split_offsets",
    "split_sources",
    "split_windows",
    "spread",
    "stream_lines",
    "stream_rows",
    "stream_texts",
    "tokenize",
]

_HOMES = {
    ".cells": "give_back pack",
    ".collating": "Collator gather_scored gather_tokens pad_rows split_offsets",
    ".demonstrations": "choose_demonstrations demonstrate order_demonstrations",
    ".documents": "find_rows_inside",
    ".encodings": "detect_encoding",
    ".in_memory": "make_dataset",
    ".faults": "Faults",
    ".flat_rows": "EncodedRows FlatRows RowBatch as_batch spread",
    ".frames": "are_tables check_table is_missing read_columns",
    ".given": "GIVEN_FOLDER GivenTables gather_tables given_strangers locate_tables",
    ".headers": "find_lower_header read_head refuse_title",
    ".loading": "SourceSplits join_table load_table split_sources",
    ".merging": "find_repeated",
    ".nested": "MISSING find_cell list_nested",
    ".prompting": "ChatStyle PromptEncoder",
    ".reading": "FORMATS read_rows",
    ".row_stream": "STREAMS Meter RowStream find_ending stream_lines stream_rows stream_texts",
    ".rows": "BadRow EmptyText Place Rows",
    ".sampling": "EpochSampler MixedLengthSampler draw_sources order_by_length share_out",
    ".source_cells": "clean_html",
    ".sources": "SPLITS SourceReader read_once read_source",
    ".spellings": "find_joined_names is_nothing propose_map",
    ".spreadsheet": "list_sheets open_sheet",
    ".table": "SplitCounts Table",
    ".text_encoder": "TextEncoder",
    ".tokenizing": "tokenize",
    ".window_sampler": "WindowSampler",
    ".windows": "find_owners group_windows split_windows",
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names.split()}

if not TYPE_CHECKING:  # a type checker knows the names from above

    def __getattr__(name: str) -> Any:
        """Import what is asked for: some of it needs torch, and an exported model is read without."""
        if name in _MODULES:
            return getattr(import_module(_MODULES[name], __name__), name)
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
