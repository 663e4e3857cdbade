"""Rows as a graph reads them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from equipoise.data import TextEncoder

from .text_tokenizer import TextTokenizer, TokenizerFacts

_BATCH = 1000


class Row(NamedTuple):
    """A text, or one of its windows.

    Args:
        text: the number of its text.
        tokens: "input_ids" and so on; see `equipoise.data.tokenize`.
    """

    text: int
    tokens: dict[str, Any]


class RowReader:
    """Encodes texts as `equipoise.modeling` does, and pads them.

    Args:
        tokenizer: the tokenizer.
        facts: how it pads.
        max_length: most tokens of a row.
        windows: texts that are too long are read in windows; else they are cut.
        offsets: say where the tokens of the text stand.
    """

    def __init__(
        self, tokenizer: TextTokenizer, facts: TokenizerFacts, max_length: int, *, windows: bool, offsets: bool
    ) -> None:
        self._facts = facts
        self._encoders = {
            paired: TextEncoder(tokenizer, max_length, paired=paired, offsets=offsets, windows=windows)
            for paired in (False, True)
        }

    def encode(self, texts: Sequence[str], pairs: Sequence[str | None]) -> tuple[list[Row], int]:
        """Return the rows of texts, one each, or all windows of each, texts in order; and how many are too long."""
        windows: list[list[dict[str, Any]]] = [[]] * len(texts)
        long = 0
        for paired, encoder in self._encoders.items():
            own = [number for number, pair in enumerate(pairs) if (pair is not None) == paired]
            for start in range(0, len(own), _BATCH):
                batch = own[start : start + _BATCH]
                seconds = [str(pairs[number]) for number in batch] if paired else None
                found = encoder.encode([texts[number] for number in batch], seconds)
                for number, text in zip(batch, found, strict=True):
                    windows[number] = text.windows
                    long += text.is_long
        return [Row(number, window) for number, parts in enumerate(windows) for window in parts], long

    def pad(self, rows: Sequence[Row]) -> dict[str, npt.NDArray[np.int64]]:
        """Return "input_ids", "attention_mask" and, if the network reads them, "token_type_ids", rows × tokens."""
        width = max(len(row.tokens["input_ids"]) for row in rows)
        padding = {"input_ids": self._facts.pad_id, "attention_mask": 0, "token_type_ids": self._facts.pad_type_id}
        if not self._facts.type_ids:
            padding.pop("token_type_ids")
        padded = {name: np.full((len(rows), width), value, np.int64) for name, value in padding.items()}
        for number, row in enumerate(rows):
            start = self.first_place(row, width)
            for name, array in padded.items():
                tokens = row.tokens["input_ids"]
                array[number, start : start + len(tokens)] = 1 if name == "attention_mask" else row.tokens[name]
        return padded

    def first_place(self, row: Row, width: int) -> int:
        """Return where a row's first token stands among the places of the padded row."""
        return width - len(row.tokens["input_ids"]) if self._facts.padding_side == "left" else 0
