"""The run file's keys of regression."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from ..task_config import TaskConfig


class RegressionConfig(TaskConfig):
    """A task that predicts a score."""

    kind: Literal["regression"] = Field(description="A score.")
    range: tuple[float, float] | None = Field(
        None, description="Lowest and highest possible score; a label outside it is an error."
    )

    @model_validator(mode="after")
    def _has_range(self) -> Self:
        if self.range is None and self.is_prompted:
            raise ValueError("found no 'range', which format: prompt needs to write the scores out")
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError(f"'range' is {list(self.range)}, expected the lowest score, then the highest")
        return self

    def task_fields(self) -> dict[str, Any]:
        """Return the range."""
        return {"range": self.range}
