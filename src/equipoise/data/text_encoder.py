"""Rows of one kind, with a pair or without, from texts to what a model reads."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from equipoise.errors import ModelError, UsageError
from equipoise.kinds import show

from .beginnings import Beginnings
from .tokenizer_facts import find_once
from .tokens import Tokens, place_tokens
from .windows import split_windows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Offsets = bool | Literal["pair"]
"""Whether to say where the tokens of a text stand, or those of its pair, too."""


class EncodedText(NamedTuple):
    """A text (and its pair) as a model reads it.

    Args:
        windows: the model's inputs; one, unless a text that is too long is read in windows.
        is_long: it is longer than a model's input.
    """

    windows: list[dict[str, Any]]
    is_long: bool


class _Part(NamedTuple):
    """Tokens of a row that stand together: of the text (0) or its pair (1), or, without a number, special ones."""

    text: int | None
    ids: list[int]
    type_id: list[int]


class TextEncoder:
    """Encodes rows of one kind: with a pair, or without.

    Args:
        tokenizer: the backbone's tokenizer.
        max_length: most tokens of a row.
        paired: rows have a pair.
        offsets: say where the tokens of the text stand, and with "pair" those of the pair, too.
        windows: read texts that are too long in windows; else they are cut.

    Raises:
        ModelError: the tokenizer cannot say where its tokens stand.
    """

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        max_length: int,
        *,
        paired: bool,
        offsets: Offsets = False,
        windows: bool = False,
    ) -> None:
        self._tokenizer = tokenizer
        self._max_length = max_length
        self._offsets = offsets
        self._windows = windows
        self._room = max_length - tokenizer.num_special_tokens_to_add(pair=paired)
        self._from_left = tokenizer.truncation_side == "left"
        self._frame = find_once(tokenizer, _find_frame, paired)
        # One more than fit, so that what is too long shows.
        most = None if self._from_left or windows else max_length + 1
        self._beginnings = Beginnings(tokenizer, most, offsets=bool(offsets))

    def encode(self, texts: Sequence[str], pairs: Sequence[str] | None) -> list[EncodedText]:
        """Return what a model reads of each row.

        Raises:
            ModelError: the tokenizer's parts are not known well enough for windows.
            UsageError: `max_length` leaves no room for a window.
        """
        if self._frame is None:
            return self._encode_by_tokenizer(texts, pairs)
        firsts = self._beginnings.read(texts)
        seconds = [Tokens([], [])] * len(texts) if pairs is None else self._beginnings.read(pairs)
        rows = []
        for row, (first, second) in enumerate(zip(firsts, seconds, strict=True)):
            is_long = len(first.ids) + len(second.ids) > self._room
            if not is_long:
                parts = [(first, second)]
            elif self._windows:
                parts = [(window, second) for window in self._split(first, second, pairs[row] if pairs else None)]
            elif pairs is not None:
                parts = [self._fit(first, second, texts[row], pairs[row])]
            else:
                parts = [(self._keep(first, self._room), second)]
            rows.append(EncodedText([self._join(self._frame, *part) for part in parts], is_long))
        return rows

    def _join(self, frame: list[_Part], first: Tokens, second: Tokens) -> dict[str, Any]:
        found: dict[str, Any] = {**_fill(frame, (first.ids, second.ids))}
        if self._offsets:
            start = _text_start(frame)
            found |= {"text_start": start, "offsets": first.offsets}
            if self._offsets == "pair":
                place = _pair_start(frame, start + len(first.ids)) if second.ids else 0
                found |= {"pair_start": place, "pair_offsets": second.offsets}
        return found

    def _split(self, first: Tokens, second: Tokens, pair: str | None) -> list[Tokens]:
        """Cut a text into windows, each of which has room for the pair."""
        size = self._room - len(second.ids)
        if size < 1:
            whose = "special tokens" if pair is None else f"special tokens and the pair {show(pair)}"
            raise UsageError(
                f"max_length: found {self._max_length}, of which the {whose} take {self._max_length - size}, so that "
                f"no window has room for its text; make max_length {self._max_length - size + 1} or more, or set "
                "long_texts: cut."
            )
        return [first.part(*span) for span in split_windows(len(first.ids), size, from_end=self._from_left)]

    def _encode_by_tokenizer(self, texts: Sequence[str], pairs: Sequence[str] | None) -> list[EncodedText]:
        found = encode_by_tokenizer(self._tokenizer, texts, pairs, self._max_length, offsets=self._offsets)
        if self._windows and any(text.is_long for text in found):
            raise ModelError(
                f"long_texts: the tokenizer of this model ({type(self._tokenizer).__name__}) does not tell how it "
                "joins texts, which windows need; set long_texts: cut, or choose a backbone with a fast tokenizer, "
                "such as minilm."
            )
        return found

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


def _pair_start(frame: list[_Part], text_end: int) -> int:
    """Return the place of the pair's first token in a row whose text ends at a place."""
    parts = [part.text for part in frame]
    return text_end + sum(len(part.ids) for part in frame[parts.index(0) + 1 : parts.index(1)])


def _find_frame(tokenizer: "PreTrainedTokenizerBase", paired: bool) -> list[_Part] | None:
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


def encode_by_tokenizer(
    tokenizer: "PreTrainedTokenizerBase",
    texts: Sequence[str],
    pairs: Sequence[str] | None,
    max_length: int,
    *,
    offsets: Offsets = False,
) -> list[EncodedText]:
    """Return what a model reads of each row, where only the tokenizer knows how texts are joined; long ones are cut."""
    whole = _call(tokenizer, texts, pairs, offsets)
    results = [EncodedText([row], False) for row in whole]
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
                offsets,
                truncation=strategy,
                max_length=max_length,
            )
            for index, row in zip(rows, shorter, strict=True):
                results[index] = EncodedText([row], True)
    return results


def _call(
    tokenizer: "PreTrainedTokenizerBase",
    texts: Sequence[str],
    pairs: Sequence[str] | None,
    offsets: Offsets,
    **options: Any,
) -> list[dict[str, Any]]:
    # The attention mask is all ones until rows are padded; the collator makes it then.
    options |= {"return_attention_mask": False, "return_offsets_mapping": bool(offsets), "verbose": False}
    encoding = tokenizer(list(texts), None if pairs is None else list(pairs), **options)
    names = list(encoding)
    rows = [dict(zip(names, row, strict=True)) for row in zip(*encoding.values(), strict=True)]
    for number, row in enumerate(rows):
        spans = row.pop("offset_mapping", None)
        if spans is not None:
            parts = encoding.sequence_ids(number)
            row["text_start"], row["offsets"] = _place(texts[number], parts, 0, spans)
            if offsets == "pair":
                row["pair_start"], row["pair_offsets"] = _place(pairs[number] if pairs else "", parts, 1, spans)
    return rows


def _place(
    text: str, parts: Sequence[int | None], part: int, spans: Sequence[tuple[int, int]]
) -> tuple[int, list[int]]:
    """Return the place of the first token of a text (0) or its pair (1), and where its tokens stand in it."""
    own = [place for place, one in enumerate(parts) if one == part]
    start = own[0] if own else 0
    if own != list(range(start, start + len(own))):
        raise ModelError(
            "model: its tokenizer puts tokens of its own into a text, so that places in the text cannot be "
            "told, which tasks that mark parts of a text need; choose another backbone, such as minilm."
        )
    return start, place_tokens(text, [spans[place] for place in own])
