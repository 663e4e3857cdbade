"""The run file's keys of triplets."""

from typing import Any, Literal, Self

from pydantic import Field

from equipoise.sections import NumberOrText

from ..listing_config import ListingConfig
from ..task import Task


class TripletsConfig(ListingConfig):
    """A task that finds opinions: what they are about, their words, and their polarity."""

    kind: Literal["triplets"] = Field(description="Opinions in the text: term, words of the opinion, polarity.")
    classes: tuple[NumberOrText, ...] | None = Field(
        None, description="The polarities in order; found in the training labels when not given."
    )
    missing_terms: Literal["fail", "skip"] = Field(
        "fail",
        description="An opinion whose words do not stand in the text: refuse the data, or do not learn it.",
    )

    def task_fields(self) -> dict[str, Any]:
        """Return classes, and what happens to words that are missing."""
        return {**super().task_fields(), "classes": self.classes or (), "missing_terms": self.missing_terms}

    def with_label_space(self, fitted: Task) -> Self:
        """Return this section with the classes that were found on train written out."""
        return self.model_copy(update={"classes": fitted.class_names})
