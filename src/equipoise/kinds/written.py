"""What a language model writes, and how it is made to."""

from typing import NamedTuple


class WritingLimits(NamedTuple):
    """How a text is searched for.

    Args:
        max_new_tokens: how many tokens are written at most.
        beams: how many beams the search keeps; 1 takes the most probable token each time.
    """

    max_new_tokens: int
    beams: int


class Written(NamedTuple):
    """A text that a language model wrote.

    Args:
        text: the text, without the whitespace around it.
        is_complete: whether it ended by itself, before the most tokens that it may have.
    """

    text: str
    is_complete: bool
