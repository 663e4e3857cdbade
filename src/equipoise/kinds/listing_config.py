"""The run file's keys of tasks whose answers are lists of words found in the text."""

from typing import Any, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from equipoise.sections import Count

from .task_config import TaskConfig


class ListingConfig(TaskConfig):
    """A task that finds words in a text, each with a class; the kind has the key `classes`."""

    max_new_tokens: Count | None = Field(
        None, gt=0, description="With `format: prompt`: most tokens to write; 96 when not given."
    )
    beams: Count | None = Field(
        None, gt=0, description="With `format: prompt`: beams of the search; 1, which is greedy, when not given."
    )

    @field_validator("classes", "categories", check_fields=False)
    @classmethod
    def _are_different(cls, names: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        if names is not None and len(set(names)) < max(1, len(names)):
            raise ValueError(f"'{info.field_name}' is {list(names)}, expected one or more different names")
        return names

    @model_validator(mode="after")
    def _is_written(self) -> Self:
        found = [key for key in ("max_new_tokens", "beams") if getattr(self, key) is not None]
        if found and not self.is_prompted:
            raise ValueError(f"'{found[0]}' goes with format: prompt, found format: head")
        return self

    def task_fields(self) -> dict[str, Any]:
        """Return the limits."""
        return {"max_new_tokens": self.max_new_tokens or 96, "beams": self.beams or 1}
