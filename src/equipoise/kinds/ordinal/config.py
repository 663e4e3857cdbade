"""The run file's keys of ordinal tasks."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from equipoise.sections import NumberOrText

from ..class_config import find_classes_problem, find_words_problem
from ..task import Task
from ..task_config import TaskConfig


class OrdinalConfig(TaskConfig):
    """A task that predicts one class of several in order."""

    kind: Literal["ordinal"] = Field(description="One class of several that have an order.")
    classes: tuple[NumberOrText, ...] | None = Field(
        None,
        description="All classes, from the lowest to the highest; only labels that are numbers need none, and are "
        "ordered by value.",
    )
    verbalize: dict[NumberOrText, NumberOrText] | None = Field(
        None, description="By class what the language model is to answer; the class where not given."
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if problem := find_classes_problem(self.classes) or find_words_problem(self.verbalize, self.is_prompted):
            raise ValueError(problem)
        return self

    def task_fields(self) -> dict[str, Any]:
        """Return classes and words."""
        return {"classes": self.classes or (), "verbalize": self.verbalize or {}}

    def with_label_space(self, fitted: Task) -> Self:
        """Return this section with the classes that were found on train written out."""
        return self.model_copy(update={"classes": fitted.class_names})
