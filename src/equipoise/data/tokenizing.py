"""From texts to token ids."""

from collections.abc import Sequence
from typing import Any

import datasets
import pyarrow as pa
from transformers import PreTrainedTokenizerBase

from .in_memory import add_columns
from .text_encoder import Offsets, TextEncoder

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
    texts, pairs = dataset["text"][:], dataset["pair"][:]
    encoded: list[list[dict[str, Any]]] = [[]] * len(texts)
    long = 0
    alone = [index for index, pair in enumerate(pairs) if pair is None]
    paired = [index for index, pair in enumerate(pairs) if pair is not None]
    for rows in (alone, paired):
        if not rows:
            continue
        encoder = TextEncoder(tokenizer, max_length, paired=rows is paired, offsets=offsets, windows=windows)
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH]
            seconds = [pairs[index] for index in batch] if rows is paired else None
            found = encoder.encode([texts[index] for index in batch], seconds)
            for index, text in zip(batch, found, strict=True):
                encoded[index] = text.windows
                long += text.is_long
    columns = _make_columns(encoded, [(index, 0) for index in range(len(texts))], windows)
    whole = add_columns(dataset, columns)
    further = [(index, number) for index, parts in enumerate(encoded) for number in range(1, len(parts))]
    if further:
        whole = datasets.concatenate_datasets([whole, _make_further(dataset, encoded, further, whole.features, repeat)])
    return whole, long


def _make_further(
    dataset: datasets.Dataset,
    encoded: Sequence[Sequence[dict[str, Any]]],
    further: Sequence[tuple[int, int]],
    features: datasets.Features,
    repeat: bool,
) -> datasets.Dataset:
    """Return the rows of the windows behind the first ones; see `_make_columns`."""
    # A text that stood beside each of its windows would be kept as often as it has windows.
    columns: dict[str, Any] = {name: [None] * len(further) for name in ("pair", *(() if repeat else ("text",)))}
    if names := [name for name in dataset.column_names if name not in columns]:
        own = dataset.select_columns(names).with_format("arrow")[[index for index, _ in further]]
        columns |= dict(zip(own.column_names, own.columns, strict=True))
    columns |= _make_columns(encoded, further, windows=True)
    return datasets.Dataset(pa.table({name: columns[name] for name in features}, schema=features.arrow_schema))


def _make_columns(
    encoded: Sequence[Sequence[dict[str, Any]]], chosen: Sequence[tuple[int, int]], windows: bool
) -> dict[str, list[Any]]:
    """Return what a model reads: for each entry the number of a row of `encoded`, and of its window."""
    columns: dict[str, list[Any]] = {"index": [index for index, _ in chosen]}
    if windows:
        columns["window"] = [number for _, number in chosen]
    for name in encoded[0][0] if encoded else ("input_ids",):
        columns[name] = [encoded[index][number][name] for index, number in chosen]
    columns["length"] = [len(ids) for ids in columns["input_ids"]]
    return columns
