"""The run file's keys of extraction."""

from typing import Any, Literal, Self

from pydantic import Field, field_validator

from equipoise.sections import NumberOrText

from ..task import Task
from ..task_config import TaskConfig


class ExtractionConfig(TaskConfig):
    """A task that finds terms in a text, each with a class."""

    kind: Literal["extraction"] = Field(description="Terms that the text mentions, each with a polarity or class.")
    classes: tuple[NumberOrText, ...] | None = Field(
        None, description="The polarities or classes in order; found in the training labels when not given."
    )
    missing_terms: Literal["fail", "skip"] = Field(
        "fail",
        description="A term that does not stand in its text: refuse the data, or do not learn it.",
    )

    @field_validator("classes")
    @classmethod
    def _are_different(cls, classes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if classes is not None and len(set(classes)) < max(1, len(classes)):
            raise ValueError(f"'classes' is {list(classes)}, expected one or more different names")
        return classes

    def task_fields(self) -> dict[str, Any]:
        """Return classes, and what happens to terms that are missing."""
        return {"classes": self.classes or (), "missing_terms": self.missing_terms}

    def with_label_space(self, fitted: Task) -> Self:
        """Return this section with the classes that were found on train written out."""
        return self.model_copy(update={"classes": fitted.class_names or None})
