"""Tasks that a language model answers by writing text, where it is prompted."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from .task import Task
from .written import WritingLimits


@dataclass(frozen=True)
class WritingTask(Task):
    """A task that a prompted language model answers by text that it writes; trained by the text's tokens.

    Args:
        max_new_tokens: how many tokens are written at most.
        beams: how many beams the search keeps; 1 takes the most probable token each time.
    """

    max_new_tokens: int = field(default=96, kw_only=True)
    beams: int = field(default=1, kw_only=True)

    @property
    def writes_text(self) -> bool:
        """Whether it is answered by text: where it is prompted."""
        return self.is_prompted

    @property
    def limits(self) -> WritingLimits:
        """How its text is searched for."""
        return WritingLimits(self.max_new_tokens, self.beams)

    def shortened(self, tokens: int) -> Self:
        """Return the task with at most so many tokens to write."""
        return self.replace(max_new_tokens=min(tokens, self.max_new_tokens))

    def longest_answer(self, count_tokens: Callable[[str], int]) -> int:
        """Return how many tokens are written at most."""
        return self.max_new_tokens

    def find_problem(self) -> str:
        """Say what is wrong with a task read from a file that its types do not show."""
        if self.is_always_prompted and not self.is_prompted:
            return f"format: found {self.format!r}, expected prompt"
        problem = "max_new_tokens: found no 1 or more, or no 1 beam or more"
        return problem if min(self.limits) < 1 else super().find_problem()

    @property
    def summary(self) -> str:
        """What it predicts, with its limits where it is written."""
        search = "" if self.beams == 1 else f", {self.beams} beams"
        return f"{self.kind}, at most {self.max_new_tokens} tokens{search}" if self.writes_text else super().summary
