"""From what tokens weigh to what words weigh."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from equipoise.kinds import is_inside_word, is_mark

_APOSTROPHES = "'’"
_JOINER = "\u200d"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_FLAG_LETTERS = range(0x1F1E6, 0x1F200)
_WITHOUT_BLANKS = (
    range(0x0E00, 0x0F00),  # Thai, Lao
    range(0x1000, 0x10A0),  # Burmese
    range(0x1780, 0x1800),  # Khmer
    range(0x3040, 0x3100),  # kana
    range(0x3400, 0xA000),  # Chinese characters
    range(0xF900, 0xFB00),
    range(0x20000, 0x32000),
)
"""Scripts that put no blanks between words: there a word is what the tokenizer takes as one token."""


@dataclass(frozen=True)
class WordWeight:
    """A word of a text and what it adds to the number that is explained.

    Args:
        word: the word, as it stands in the text.
        start: where it starts, in characters of the text (Python string indices).
        end: where it ends.
        weight: what it adds.
    """

    word: str
    start: int
    end: int
    weight: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return {"word": self.word, "start": self.start, "end": self.end, "weight": self.weight}


def merge_to_words(text: str, tokens: Mapping[tuple[int, int], float]) -> list[WordWeight]:
    """Return the words of a text in order; the weight of a word is the sum of its tokens' weights.

    A word is a run of letters, figures and the marks on them, also with an apostrophe inside; any other token is a word
    of its own, and an emoji stays whole. In scripts without blanks each token is a word.

    Args:
        text: the text.
        tokens: the weight of each token, by where it starts and ends in the text. A token without characters, such as
            a blank, counts with the next word, and with the last one behind it.
    """
    words: list[list[float]] = []
    empty = 0.0
    for (start, end), weight in sorted(tokens.items()):
        if start == end:
            empty += weight
        elif words and (start < words[-1][1] or (start == words[-1][1] and _is_inside(text, start))):
            words[-1][1] = max(words[-1][1], end)
            words[-1][2] += weight + empty
            empty = 0.0
        else:
            words.append([start, end, weight + empty])
            empty = 0.0
    if words:
        words[-1][2] += empty
    return [WordWeight(text[int(start) : int(end)], int(start), int(end), weight) for start, end, weight in words]


def _is_inside(text: str, place: int) -> bool:
    """Whether a place between two tokens lies inside a word."""
    before, after = text[place - 1], text[place]
    if is_mark(after) or before == _JOINER or ord(after) in _SKIN_TONES:
        return True
    if _needs_no_blanks(before) or _needs_no_blanks(after):
        return False
    if ord(before) in _FLAG_LETTERS and ord(after) in _FLAG_LETTERS:
        # A flag is two letters.
        first = place - 1
        while first > 0 and ord(text[first - 1]) in _FLAG_LETTERS:
            first -= 1
        return (place - first) % 2 == 1
    return is_inside_word(text, place) or _joins(text, place) or _joins(text, place - 1)


def _joins(text: str, place: int) -> bool:
    """Whether an apostrophe between two letters stands at a place."""
    return (
        0 < place < len(text) - 1
        and text[place] in _APOSTROPHES
        and text[place - 1].isalnum()
        and text[place + 1].isalnum()
    )


def _needs_no_blanks(character: str) -> bool:
    return any(ord(character) in script for script in _WITHOUT_BLANKS)
