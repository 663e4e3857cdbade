"""The generation task kind: a text is written for each text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from ..labels import LabelError, as_text, show
from ..prompts import Question
from ..task import Task


@dataclass(frozen=True)
class Generation(Task):
    """A text written for each text: a title, a summary.

    Args:
        max_new_tokens: how many tokens are written at most.
        beams: how many beams the search keeps; 1 takes the most probable token each time.
    """

    kind: ClassVar[str] = "generation"
    metrics: ClassVar[tuple[str, ...]] = ("rouge_l", "rouge_1", "rouge_2")
    primary_metrics: ClassVar[tuple[str, ...]] = ("rouge_l", "rouge_1", "rouge_2")
    text_metrics: ClassVar[tuple[str, ...]] = ("empty", "copied")
    item_metric: ClassVar[str] = "rouge_l"
    label_type: ClassVar[str] = "string"
    prediction_type: ClassVar[type] = object
    averages_seeds: ClassVar[bool] = False
    template_fields: ClassVar[tuple[str, ...]] = ("text", "pair", "task")
    writes_text: ClassVar[bool] = True
    default_questions: ClassVar[tuple[str, ...]] = (
        "Write the {task} of the text above{towards}.",
        "Give this text a {task}{towards}.",
        "What would be a good {task} of the text above{towards}?",
        "Read the text above and write its {task}{towards}.",
    )

    max_new_tokens: int = 32
    beams: int = 1
    format: str = field(default="prompt", kw_only=True)

    def questions(self) -> list[Question]:
        """Ask for the text."""
        return [Question({})]

    def correct_answers(self, label: Any) -> list[str]:
        """Return the text."""
        return [str(label)]

    def shortened(self, tokens: int) -> Self:
        """Return the task with at most so many tokens to write."""
        return self.replace(max_new_tokens=min(tokens, self.max_new_tokens))

    def longest_answer(self, count_tokens: Callable[[str], int]) -> int:
        """Return how many tokens are written at most."""
        return self.max_new_tokens

    def find_problem(self) -> str:
        """Say what is wrong with a task read from a file that its types do not show."""
        problem = "max_new_tokens: found no 1 or more, or no 1 beam or more"
        return problem if min(self.max_new_tokens, self.beams) < 1 else super().find_problem()

    @property
    def summary(self) -> str:
        """What it predicts, with its limits."""
        search = "" if self.beams == 1 else f", {self.beams} beams"
        return f"{self.kind}, at most {self.max_new_tokens} tokens{search}"

    def parse(self, cell: Any) -> str:
        """Read a text, without the blanks around it."""
        text = as_text(cell)
        if not isinstance(text, str) or not text.strip():
            raise LabelError(f"found {show(cell)}, expected a text to learn to write")
        return text.strip()

    def fit(self, labels: Sequence[Any]) -> Self:
        """Return this task: there is no label space to find."""
        return self

    def encode(self, label: Any) -> str:
        """Return the text as it is."""
        return str(label)

    def merge(self, labels: Sequence[Any]) -> str:
        """Return the first text (our design)."""
        return str(labels[0])

    @property
    def merge_rule(self) -> str:
        """What `merge` does, for notes."""
        return "first kept"

    def answer(self, prediction: Any) -> dict[str, Any]:
        """Return the text."""
        return {"text": str(prediction)}
