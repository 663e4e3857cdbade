"""The run file's keys of extraction."""

from typing import Any, Literal, Self

from pydantic import Field

from equipoise.sections import NumberOrText

from ..listing_config import ListingConfig
from ..task import Task


class ExtractionConfig(ListingConfig):
    """A task that finds terms in a text, each with a class."""

    kind: Literal["extraction"] = Field(description="Terms that the text mentions, each with a polarity or class.")
    classes: tuple[NumberOrText, ...] | None = Field(
        None, description="The polarities or classes in order; found in the training labels when not given."
    )
    missing_terms: Literal["fail", "skip"] = Field(
        "fail",
        description="A term that does not stand in its text: refuse the data, or do not learn it.",
    )

    def task_fields(self) -> dict[str, Any]:
        """Return classes, and what happens to terms that are missing."""
        return {**super().task_fields(), "classes": self.classes or (), "missing_terms": self.missing_terms}

    def with_label_space(self, fitted: Task) -> Self:
        """Return this section with the classes that were found on train written out."""
        return self.model_copy(update={"classes": fitted.class_names or None})
