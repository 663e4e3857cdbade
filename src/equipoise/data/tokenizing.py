"""From texts to token ids."""

from collections.abc import Mapping, Sequence
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from transformers import PreTrainedTokenizerBase

from .in_memory import NARROW, add_columns, wrap_table
from .spools import ListSpool, Spool
from .text_encoder import EncodedText, Offsets, TextEncoder

_BATCH = 1000


def tokenize(
    dataset: datasets.Dataset,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    *,
    offsets: Offsets = False,
    windows: bool = False,
    repeat: bool = False,
) -> tuple[datasets.Dataset, int]:
    """Turn each row's text (and pair) into token ids.

    A text that is too long is cut at its end and its pair is kept whole, unless the pair alone does not fit:
    then tokens go from the longer of the two, one by one. Text and pair are cut before they are joined, so that memory
    grows with the longest of them. With windows the whole text is read, in overlapping windows (see `split_windows`)
    with the whole pair each; the first one is what is left of a text that is cut.

    Args:
        dataset: rows with the columns "text" and "pair" (None: one text).
        tokenizer: the backbone's tokenizer.
        max_length: most tokens a row may have, special tokens included.
        offsets: also say which tokens are those of the text, and where in it they stand; with "pair" those of the
            pair, too.
        windows: read texts that are too long in windows; else they are cut.
        repeat: let every window keep its text, which takes memory; labels that are places in a text need it.

    Returns:
        The dataset with the further columns "index" (the row's number from 0), "input_ids", "token_type_ids"
        if the tokenizer makes them, and "length" (tokens); and how many rows were too long. With offsets also
        "text_start", the place in "input_ids" of the text's first token, and "offsets", a flat list of two numbers for
        each of its tokens from there on: start and end in characters of the text (Python string indices), without
        blanks around the token. Tokens that are pieces of one character all have its span. With "pair" also
        "pair_start" and "pair_offsets", the same of the pair; 0 and nothing where a row has none.
        With windows also "window" (its number among those of its text, from 0). The windows behind the first ones stand
        behind all rows, with the "index" and the labels of their row, and without "pair" and, unless repeated, "text".

    Raises:
        ModelError: offsets, or windows, of a tokenizer that cannot tell them.
        UsageError: `max_length` leaves no room for a window.
    """
    table = dataset.with_format("arrow")[:]
    own = dict(zip(table.column_names, table.columns, strict=True))
    encoders: dict[bool, TextEncoder] = {}
    firsts, further = _Windows(numbered=windows), _Windows(numbered=windows)
    long = 0
    for start in range(0, len(dataset), _BATCH):
        part = table.slice(start, _BATCH)
        rows, pairs = part["text"].to_pylist(), part["pair"].to_pylist()
        encoded: dict[int, EncodedText] = {}
        for paired in sorted({pair is not None for pair in pairs}):
            if paired not in encoders:
                encoders[paired] = TextEncoder(tokenizer, max_length, paired=paired, offsets=offsets, windows=windows)
            chosen = [place for place, pair in enumerate(pairs) if (pair is not None) == paired]
            seconds = [pairs[place] for place in chosen] if paired else None
            found = encoders[paired].encode([rows[place] for place in chosen], seconds)
            encoded |= dict(zip(chosen, found, strict=True))
        texts = [encoded[place] for place in range(len(rows))]
        long += sum(text.is_long for text in texts)
        firsts.add([(start + place, 0, text.windows[0]) for place, text in enumerate(texts)])
        others = [
            (start + place, number, window)
            for place, text in enumerate(texts)
            for number, window in enumerate(text.windows[1:], start=1)
        ]
        if others:
            further.add(others)
    if not further.count:
        return add_columns(dataset, firsts.finish()), long
    # A text that stood beside each of its windows would be kept as often as it has windows.
    empty = ("pair",) if repeat else ("pair", "text")
    owners = further.finish()["index"]
    firsts.join(further)
    given = {name: _repeat(cells, None if name in empty else owners, further.count) for name, cells in own.items()}
    return wrap_table(pa.table({**given, **firsts.finish()})), long


def _repeat(cells: pa.ChunkedArray, rows: pa.Array | None, count: int) -> pa.ChunkedArray:
    """Return a column with the cells of some rows once more behind it, or with so many missing ones."""
    more = pa.chunked_array([pa.nulls(count, cells.type)]) if rows is None else cells.take(rows)
    return pa.chunked_array([*cells.chunks, *more.chunks], cells.type)


class _Windows:
    """The columns that a model reads, window by window.

    Args:
        numbered: with the column "window".
    """

    def __init__(self, *, numbered: bool) -> None:
        self.count = 0
        self._numbered = numbered
        self._spools: dict[str, Any] = {}

    def add(self, windows: Sequence[tuple[int, int, Mapping[str, Any]]]) -> None:
        """Add windows at the end: the number of each one's row, its own among those of its text, and what is read."""
        rows, numbers, read = zip(*windows, strict=True) if windows else ((), (), ())
        columns: dict[str, Sequence[Any]] = {"index": rows}
        if self._numbered:
            columns["window"] = numbers
        for name in read[0] if read else ("input_ids",):
            columns[name] = [window[name] for window in read]
        columns["length"] = [len(ids) for ids in columns["input_ids"]]
        self.count += len(windows)
        for name, cells in columns.items():
            if name not in self._spools:
                is_list = name == "input_ids" or isinstance(next(iter(cells), None), list)
                of_type = NARROW.get(name, np.int64)
                self._spools[name] = ListSpool(of_type) if is_list else Spool(of_type)
            self._spools[name].add(cells)

    def join(self, other: "_Windows") -> None:
        """Add the windows of another at the end."""
        for name, spool in self._spools.items():
            spool.join(other._spools[name])

    def finish(self) -> dict[str, pa.Array]:
        """Return the columns."""
        if not self._spools:
            self.add([])
        return {name: spool.to_arrow() for name, spool in self._spools.items()}
