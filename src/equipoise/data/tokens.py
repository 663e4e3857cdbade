"""The tokens of one text, and where they stand in it."""

from collections.abc import Sequence
from typing import NamedTuple, Self
from unicodedata import combining


class Tokens(NamedTuple):
    """The tokens of one text, without special tokens.

    Args:
        ids: their ids.
        offsets: start and end of each, in characters (Python string indices) of the text, one after the other; empty
            where nobody asks for them.
    """

    ids: list[int]
    offsets: list[int]

    def part(self, start: int, end: int) -> Self:
        """Return the tokens from one number to another, as a slice does."""
        start, end, _ = slice(start, end).indices(len(self.ids))
        return type(self)(self.ids[start:end], self.offsets[2 * start : 2 * end])


def place_tokens(text: str, spans: Sequence[tuple[int, int]]) -> list[int]:
    """Return where tokens stand in a text, as `Tokens.offsets` has it.

    Blanks around a token do not belong to it: a blank alone has no characters. Marks behind a letter, such as an accent
    that is a character of its own, belong to the token of the letter where no other token has them: tokenizers that
    compose or drop them leave them out.

    Args:
        text: the text.
        spans: start and end of each token, as the tokenizer gives them.
    """
    offsets: list[int] = []
    for number, (start, end) in enumerate(spans):
        while start < end and text[start].isspace():
            start += 1
        while start < end and text[end - 1].isspace():
            end -= 1
        if start < end:
            following = spans[number + 1][0] if number + 1 < len(spans) else len(text)
            while end < following and combining(text[end]):
                end += 1
        offsets += (start, end)
    return offsets
