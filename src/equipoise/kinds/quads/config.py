"""The run file's keys of quads."""

from typing import Any, Literal, Self

from pydantic import Field

from equipoise.sections import NumberOrText

from ..quads.task import Quads
from ..task import Task
from ..triplets.config import TripletsConfig


class QuadsConfig(TripletsConfig):
    """A task that finds opinions with the category of what they are about."""

    kind: Literal["quads"] = Field(  # type: ignore[assignment]  # another kind's name
        description="Opinions in the text: category, term, words of the opinion, polarity; term and words can be null."
    )
    categories: tuple[NumberOrText, ...] | None = Field(
        None, description="The categories in order; found in the training labels when not given."
    )

    def task_fields(self) -> dict[str, Any]:
        """Return classes and categories, and what happens to words that are missing."""
        return {**super().task_fields(), "categories": self.categories or ()}

    def with_label_space(self, fitted: Task) -> Self:
        """Return this section with polarities and categories that were found on train written out."""
        assert isinstance(fitted, Quads)
        return super().with_label_space(fitted).model_copy(update={"categories": fitted.categories})
