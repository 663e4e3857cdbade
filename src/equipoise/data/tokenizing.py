"""From texts to token ids."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import datasets
from transformers import PreTrainedTokenizerBase

from equipoise.errors import ModelError

from .beginnings import Beginnings
from .tokens import Tokens, place_tokens

_BATCH = 1000


def tokenize(
    dataset: datasets.Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int, *, offsets: bool = False
) -> tuple[datasets.Dataset, int]:
    """Turn each row's text (and pair) into token ids.

    A text that is too long is cut at its end and its pair is kept whole, unless the pair alone does not fit:
    then tokens go from the longer of the two, one by one. Text and pair are cut before they are joined, so that memory
    grows with the longest of them.

    Args:
        dataset: rows with the columns "text" and "pair" (None: one text).
        tokenizer: the backbone's tokenizer.
        max_length: most tokens a row may have, special tokens included.
        offsets: also say which tokens are those of the text, and where in it they stand.

    Returns:
        The dataset with the further columns "index" (the row's number from 0), "input_ids", "token_type_ids"
        if the tokenizer makes them, and "length" (tokens); and how many rows were cut. With offsets also "text_start",
        the place in "input_ids" of the text's first token, and "offsets", a flat list of two numbers for each of its
        tokens from there on: start and end in characters of the text (Python string indices), without blanks around
        the token. Tokens that are pieces of one character all have its span; those of the pair have none.

    Raises:
        ModelError: offsets of a tokenizer that cannot tell them.
    """
    texts, pairs = dataset["text"][:], dataset["pair"][:]
    encoded: list[dict[str, Any]] = [{}] * len(texts)
    cut = 0
    alone = [index for index, pair in enumerate(pairs) if pair is None]
    paired = [index for index, pair in enumerate(pairs) if pair is not None]
    for rows in (alone, paired):
        if not rows:
            continue
        encoder = _Encoder(tokenizer, max_length, paired=rows is paired, offsets=offsets)
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH]
            seconds = [pairs[index] for index in batch] if rows is paired else None
            found = encoder.encode([texts[index] for index in batch], seconds)
            for index, (row, was_cut) in zip(batch, found, strict=True):
                encoded[index] = row
                cut += was_cut
    columns: dict[str, list[Any]] = {"index": list(range(len(texts)))}
    for name in encoded[0] if encoded else ("input_ids",):
        columns[name] = [row[name] for row in encoded]
    columns["length"] = [len(ids) for ids in columns["input_ids"]]
    return datasets.concatenate_datasets([dataset, datasets.Dataset.from_dict(columns)], axis=1), cut


class _Part(NamedTuple):
    """Tokens of a row that stand together: of the text (0) or its pair (1), or, without a number, special ones."""

    text: int | None
    ids: list[int]
    type_id: list[int]


class _Encoder:
    """Encodes rows of one kind: with a pair, or without."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, max_length: int, *, paired: bool, offsets: bool = False
    ) -> None:
        self._tokenizer = tokenizer
        self._max_length = max_length
        self._offsets = offsets
        self._room = max_length - tokenizer.num_special_tokens_to_add(pair=paired)
        self._from_left = tokenizer.truncation_side == "left"
        self._frame = _find_frame(tokenizer, paired)
        # One more than fit, so that what is too long shows.
        self._beginnings = Beginnings(tokenizer, None if self._from_left else max_length + 1, offsets=offsets)

    def encode(self, texts: Sequence[str], pairs: Sequence[str] | None) -> list[tuple[dict[str, Any], bool]]:
        """Return each row's model inputs, and whether it was cut."""
        if self._frame is None:
            return _encode_by_tokenizer(self._tokenizer, texts, pairs, self._max_length, offsets=self._offsets)
        firsts = self._beginnings.read(texts)
        seconds = [Tokens([], [])] * len(texts) if pairs is None else self._beginnings.read(pairs)
        rows = []
        for row, (first, second) in enumerate(zip(firsts, seconds, strict=True)):
            was_cut = len(first.ids) + len(second.ids) > self._room
            if was_cut and pairs is not None:
                first, second = self._fit(first, second, texts[row], pairs[row])
            elif was_cut:
                first = self._keep(first, self._room)
            found: dict[str, Any] = {**_fill(self._frame, (first.ids, second.ids))}
            if self._offsets:
                found |= {"text_start": _text_start(self._frame), "offsets": first.offsets}
            rows.append((found, was_cut))
        return rows

    def _fit(self, first: Tokens, second: Tokens, text: str, pair: str) -> tuple[Tokens, Tokens]:
        """Cut a row's text, or both it and its pair, as tokenizers do ("only_first", "longest_first")."""
        texts, pairs = len(first.ids), len(second.ids)
        if pairs < self._room:
            return self._keep(first, self._room - pairs), second
        shorter = min(texts, self._room // 2)
        longer = self._room - shorter
        text_is_longer = texts > pairs
        if texts == pairs == self._beginnings.most and longer > shorter:
            # Both are longer than what was read of them, and one token goes to the longer.
            text_is_longer = self._beginnings.count(text) > self._beginnings.count(pair)
        counts = (longer, shorter) if text_is_longer else (shorter, longer)
        return self._keep(first, counts[0]), self._keep(second, counts[1])

    def _keep(self, tokens: Tokens, count: int) -> Tokens:
        return (
            tokens.part(max(0, len(tokens.ids) - count), len(tokens.ids)) if self._from_left else tokens.part(0, count)
        )


def _fill(frame: list[_Part], texts: tuple[list[int], list[int]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {"input_ids": [], **({"token_type_ids": []} if frame[0].type_id else {})}
    for part in frame:
        ids = part.ids if part.text is None else texts[part.text]
        found["input_ids"] += ids
        if part.type_id:
            found["token_type_ids"] += part.type_id * len(ids) if part.text is not None else part.type_id
    return found


def _text_start(frame: list[_Part]) -> int:
    """Return the place of the text's first token in a row: what stands before it is the same in all rows."""
    parts = [part.text for part in frame]
    return sum(len(part.ids) for part in frame[: parts.index(0)])


def _find_frame(tokenizer: PreTrainedTokenizerBase, paired: bool) -> list[_Part] | None:
    """Find what a tokenizer puts around a text (and its pair), from an example; None where that cannot be told."""
    if not tokenizer.is_fast:
        return None
    texts = ["a", "a"][: 1 + paired]
    encoding = tokenizer(*texts, return_attention_mask=False, verbose=False)
    ids, types = encoding["input_ids"], encoding.get("token_type_ids", [])
    frame: list[_Part] = []
    for place, text in enumerate(encoding.sequence_ids()):
        kind = types[place : place + 1]
        last = frame[-1] if frame else None
        if text is None or last is None or last.text != text:
            frame.append(_Part(text, [ids[place]] if text is None else [], kind))
        elif last.type_id != kind:
            return None
    if [part.text for part in frame if part.text is not None] != list(range(1 + paired)):
        return None
    # What it makes of another example says whether that is all.
    texts = ["so b c", "d"][: 1 + paired]
    alone = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
    expected = tokenizer(*texts, return_attention_mask=False, verbose=False)
    return frame if _fill(frame, (alone[0], alone[-1])) == dict(expected) else None


def _encode_by_tokenizer(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    pairs: Sequence[str] | None,
    max_length: int,
    *,
    offsets: bool = False,
) -> list[tuple[dict[str, Any], bool]]:
    """Return each row's model inputs, and whether it was cut, where only the tokenizer knows how texts are joined."""
    whole = _call(tokenizer, texts, pairs, return_offsets_mapping=offsets)
    results = [(row, False) for row in whole]
    room = max_length - tokenizer.num_special_tokens_to_add(pair=pairs is not None)
    by_strategy: dict[str, list[int]] = {"only_first": [], "longest_first": []}
    for index, row in enumerate(whole):
        if len(row["input_ids"]) > max_length:
            pair_length = 0 if pairs is None else len(tokenizer.encode(pairs[index], add_special_tokens=False))
            # The tokenizer must leave at least one token of the text.
            by_strategy["only_first" if pair_length < room else "longest_first"].append(index)
    for strategy, rows in by_strategy.items():
        if rows:
            shorter = _call(
                tokenizer,
                [texts[index] for index in rows],
                None if pairs is None else [pairs[index] for index in rows],
                truncation=strategy,
                max_length=max_length,
                return_offsets_mapping=offsets,
            )
            for index, row in zip(rows, shorter, strict=True):
                results[index] = (row, True)
    return results


def _call(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], pairs: Sequence[str] | None, **options: Any
) -> list[dict[str, Any]]:
    # The attention mask is all ones until rows are padded; the collator makes it then.
    seconds = None if pairs is None else list(pairs)
    encoding = tokenizer(list(texts), seconds, return_attention_mask=False, verbose=False, **options)
    names = list(encoding)
    rows = [dict(zip(names, row, strict=True)) for row in zip(*encoding.values(), strict=True)]
    for number, row in enumerate(rows):
        spans = row.pop("offset_mapping", None)
        if spans is not None:
            own = [place for place, part in enumerate(encoding.sequence_ids(number)) if part == 0]
            start = own[0] if own else 0
            if own != list(range(start, start + len(own))):
                raise ModelError(
                    "model: its tokenizer puts tokens of its own into a text, so that places in the text cannot be "
                    "told, which tasks that mark parts of a text need; choose another backbone, such as minilm."
                )
            placed = place_tokens(texts[number], [spans[place] for place in own])
            row |= {"text_start": start, "offsets": placed}
    return rows
