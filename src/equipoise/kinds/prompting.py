"""How a language model is prompted for a task: the part of the label logic that no head needs."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar, Self

from .prompts import Question, split_template, with_text
from .written import WritingLimits, Written


class Prompting:
    """What `Task` says of prompts and answers of a language model; kinds that cannot be prompted leave it as it is."""

    kind: ClassVar[str]
    is_always_prompted: ClassVar[bool] = False
    """Whether no head can answer it."""
    template_fields: ClassVar[tuple[str, ...]] = ("text", "pair", "task")
    """The fields a template may have."""
    required_fields: ClassVar[tuple[str, ...]] = ()
    """The fields a template must have, beside the row's own inputs."""
    default_questions: ClassVar[tuple[str, ...]] = ()
    """What a language model is prompted with after the text, the default first; `{towards}` is for the pair."""

    name: str
    pair: str | None
    format: str
    template: str
    variants: tuple[str, ...]

    @property
    def is_prompted(self) -> bool:
        """Whether a language model is prompted; else a head reads the features."""
        return self.format == "prompt"

    @property
    def writes_text(self) -> bool:
        """Whether it is answered by text that a language model writes: its targets are tokens (see `WritingTask`)."""
        return False

    @property
    def limits(self) -> WritingLimits:
        """How its text is searched for; only for tasks that write text."""
        raise NotImplementedError(f"Tasks of kind '{self.kind}' write no text.")

    @property
    def is_averaged(self) -> bool:
        """Whether its answers to several templates can be averaged."""
        return self.is_prompted and not self.writes_text

    def read_written(self, text: str, written: Written) -> Any:
        """Return the prediction for a row; only for tasks that write text.

        Args:
            text: the row's text.
            written: what a language model wrote for it.
        """
        raise NotImplementedError(f"Tasks of kind '{self.kind}' write no text.")

    def questions(self) -> list[Question]:
        """What a language model is prompted with for a row; the answers of all questions, in order, are scored."""
        raise NotImplementedError(f"Tasks of kind '{self.kind}' do not prompt a language model.")

    def correct_answers(self, label: Any) -> list[str]:
        """Return the right answer to each question for an encoded label."""
        raise NotImplementedError(f"Tasks of kind '{self.kind}' do not prompt a language model.")

    @property
    def prompt_problem(self) -> str:
        """Why a language model cannot be prompted, "" if it can."""
        return "" if self.default_questions else f"kind {self.kind} has no question for a language model"

    def shortened(self, tokens: int) -> Self:
        """Return the task with at most so many tokens to write, if it writes text."""
        return self

    def longest_answer(self, count_tokens: Callable[[str], int]) -> int:
        """Return how many tokens an answer has at most.

        Args:
            count_tokens: counts the tokens of an answer.
        """
        return max(count_tokens(answer) for question in self.questions() for answer in question.answers)

    @cached_property
    def answers(self) -> int:
        """How many answers are scored on a row."""
        return sum(len(question.answers) for question in self.questions())

    @property
    def templates(self) -> tuple[str, ...]:
        """The templates it can be prompted by, each once: its own, the first of which it learns by, then the kind's."""
        own = (self.template, *self.variants) if self.template else ()
        return tuple(dict.fromkeys((*own, *with_text(self.default_questions, self.pair is not None))))

    def prompts(self) -> list[list[str]]:
        """Return the prompt of each question, cut at the row's own inputs (see `split_template`)."""
        template = self.templates[0]
        words = self.name.replace("_", " ").replace("-", " ")
        return [split_template(template, {"task": words, **question.fields}) for question in self.questions()]
