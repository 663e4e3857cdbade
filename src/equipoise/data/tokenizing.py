"""From texts to token ids."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import datasets
from transformers import PreTrainedTokenizerBase

from .beginnings import Beginnings

_BATCH = 1000


def tokenize(
    dataset: datasets.Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int
) -> tuple[datasets.Dataset, int]:
    """Turn each row's text (and pair) into token ids.

    A text that is too long is cut at its end and its pair is kept whole, unless the pair alone does not fit:
    then tokens go from the longer of the two, one by one. Text and pair are cut before they are joined, so that memory
    grows with the longest of them.

    Args:
        dataset: rows with the columns "text" and "pair" (None: one text).
        tokenizer: the backbone's tokenizer.
        max_length: most tokens a row may have, special tokens included.

    Returns:
        The dataset with the further columns "index" (the row's number from 0), "input_ids", "token_type_ids"
        if the tokenizer makes them, and "length" (tokens); and how many rows were cut.
    """
    texts, pairs = dataset["text"][:], dataset["pair"][:]
    encoded: list[dict[str, list[int]]] = [{}] * len(texts)
    cut = 0
    alone = [index for index, pair in enumerate(pairs) if pair is None]
    paired = [index for index, pair in enumerate(pairs) if pair is not None]
    for rows in (alone, paired):
        if not rows:
            continue
        encoder = _Encoder(tokenizer, max_length, paired=rows is paired)
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

    def __init__(self, tokenizer: PreTrainedTokenizerBase, max_length: int, *, paired: bool) -> None:
        self._tokenizer = tokenizer
        self._max_length = max_length
        self._room = max_length - tokenizer.num_special_tokens_to_add(pair=paired)
        self._from_left = tokenizer.truncation_side == "left"
        self._frame = _find_frame(tokenizer, paired)
        # One more than fit, so that what is too long shows.
        self._beginnings = Beginnings(tokenizer, None if self._from_left else max_length + 1)

    def encode(self, texts: Sequence[str], pairs: Sequence[str] | None) -> list[tuple[dict[str, list[int]], bool]]:
        """Return each row's model inputs, and whether it was cut."""
        if self._frame is None:
            return _encode_by_tokenizer(self._tokenizer, texts, pairs, self._max_length)
        firsts = self._beginnings.encode(texts)
        seconds = [[]] * len(texts) if pairs is None else self._beginnings.encode(pairs)
        rows = []
        for row, (first, second) in enumerate(zip(firsts, seconds, strict=True)):
            was_cut = len(first) + len(second) > self._room
            if was_cut and pairs is not None:
                first, second = self._fit(first, second, texts[row], pairs[row])
            elif was_cut:
                first = self._keep(first, self._room)
            rows.append((_fill(self._frame, (first, second)), was_cut))
        return rows

    def _fit(self, first: list[int], second: list[int], text: str, pair: str) -> tuple[list[int], list[int]]:
        """Cut a row's text, or both it and its pair, as tokenizers do ("only_first", "longest_first")."""
        if len(second) < self._room:
            return self._keep(first, self._room - len(second)), second
        shorter = min(len(first), self._room // 2)
        longer = self._room - shorter
        text_is_longer = len(first) > len(second)
        if len(first) == len(second) == self._beginnings.most and longer > shorter:
            # Both are longer than what was read of them, and one token goes to the longer.
            text_is_longer = self._beginnings.count(text) > self._beginnings.count(pair)
        counts = (longer, shorter) if text_is_longer else (shorter, longer)
        return self._keep(first, counts[0]), self._keep(second, counts[1])

    def _keep(self, tokens: list[int], count: int) -> list[int]:
        return tokens[max(0, len(tokens) - count) :] if self._from_left else tokens[:count]


def _fill(frame: list[_Part], texts: tuple[list[int], list[int]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {"input_ids": [], **({"token_type_ids": []} if frame[0].type_id else {})}
    for part in frame:
        ids = part.ids if part.text is None else texts[part.text]
        found["input_ids"] += ids
        if part.type_id:
            found["token_type_ids"] += part.type_id * len(ids) if part.text is not None else part.type_id
    return found


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
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], pairs: Sequence[str] | None, max_length: int
) -> list[tuple[dict[str, list[int]], bool]]:
    """Return each row's model inputs, and whether it was cut, where only the tokenizer knows how texts are joined."""
    whole = _call(tokenizer, texts, pairs)
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
            )
            for index, row in zip(rows, shorter, strict=True):
                results[index] = (row, True)
    return results


def _call(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], pairs: Sequence[str] | None, **options: Any
) -> list[dict[str, list[int]]]:
    # The attention mask is all ones until rows are padded; the collator makes it then.
    seconds = None if pairs is None else list(pairs)
    encoding = tokenizer(list(texts), seconds, return_attention_mask=False, verbose=False, **options)
    names = list(encoding)
    return [dict(zip(names, row, strict=True)) for row in zip(*encoding.values(), strict=True)]
