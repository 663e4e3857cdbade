"""Questions to the user about what is doubtful: three at most."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

MOST_QUESTIONS = 3


@dataclass(frozen=True)
class Question:
    """A question with a list of answers.

    Args:
        text: the question.
        options: the answers.
        default: the answers that are taken where the user gives none, by their places.
        several: whether several can be given.
    """

    text: str
    options: Sequence[str]
    default: tuple[int, ...] = (0,)
    several: bool = False


Ask = Callable[[Question], Sequence[int]]
"""Asks a question, and returns the places of the answers."""


class Questions:
    """Asks at most three questions; after that, and where nobody is asked, the default is the answer.

    Args:
        ask: asks the user; None asks nobody.
    """

    def __init__(self, ask: Ask | None) -> None:
        self._ask = ask
        self._left = MOST_QUESTIONS

    @property
    def is_asking(self) -> bool:
        """Whether there is somebody to ask."""
        return self._ask is not None and self._left > 0

    def ask(self, question: Question) -> Sequence[int]:
        """Return the places of the answers."""
        if self._ask is None or not self._left:
            return question.default
        self._left -= 1
        return self._ask(question)
