"""The generation task kind: a text is written for each text."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from ..labels import LabelError, as_text, show
from ..prompts import Question
from ..writing_task import WritingTask
from ..written import Written


@dataclass(frozen=True)
class Generation(WritingTask):
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
    is_always_prompted: ClassVar[bool] = True
    shows_texts: ClassVar[bool] = True
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

    def read_written(self, text: str, written: Written) -> str:
        """Return the text that was written, also where it was cut."""
        return written.text

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
