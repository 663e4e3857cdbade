"""The run file's keys of triplets."""

from typing import Any, Literal, Self

from pydantic import Field, field_validator

from equipoise.sections import NumberOrText

from ..task import Task
from ..task_config import TaskConfig


class TripletsConfig(TaskConfig):
    """A task that finds opinions: what they are about, their words, and their polarity."""

    kind: Literal["triplets"] = Field(description="Opinions in the text: term, words of the opinion, polarity.")
    classes: tuple[NumberOrText, ...] | None = Field(
        None, description="The polarities in order; found in the training labels when not given."
    )
    missing_terms: Literal["fail", "skip"] = Field(
        "fail",
        description="An opinion whose words do not stand in the text: refuse the data, or do not learn it.",
    )

    @field_validator("classes")
    @classmethod
    def _are_different(cls, classes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if classes is not None and len(set(classes)) < max(1, len(classes)):
            raise ValueError(f"'classes' is {list(classes)}, expected one or more different names")
        return classes

    def task_fields(self) -> dict[str, Any]:
        """Return classes, and what happens to words that are missing."""
        return {"classes": self.classes or (), "missing_terms": self.missing_terms}

    def with_label_space(self, fitted: Task) -> Self:
        """Return this section with the classes that were found on train written out."""
        return self.model_copy(update={"classes": fitted.class_names})
