"""The run file's keys of generation."""

from typing import Any, Literal

from pydantic import Field

from equipoise.sections import Count

from ..task_config import TaskConfig


class GenerationConfig(TaskConfig):
    """A task that writes a text."""

    kind: Literal["generation"] = Field(description="A text that is written for each text.")
    max_new_tokens: Count | None = Field(None, gt=0, description="Most tokens to write; 32 when not given.")
    beams: Count | None = Field(None, gt=0, description="Beams of the search; 1, which is greedy, when not given.")

    def task_fields(self) -> dict[str, Any]:
        """Return the limits."""
        return {"max_new_tokens": self.max_new_tokens or 32, "beams": self.beams or 1}
