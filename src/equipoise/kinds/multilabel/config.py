"""The run file's keys of multilabel tasks."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticKnownError

from equipoise.sections import NumberOrText

from ..task import Task
from ..task_config import TaskConfig


def _check_columns(value: Any) -> Any:
    if isinstance(value, list | tuple):
        if not value or not all(isinstance(column, str) for column in value) or len(set(value)) < len(value):
            raise ValueError(f"found {list(value)}, expected a column, or a list of different ones")
    elif not isinstance(value, str):
        raise PydanticKnownError("string_type")
    return value


Columns = Annotated[str | tuple[str, ...], BeforeValidator(_check_columns)]
"""One column, or several."""


class MultilabelConfig(TaskConfig):
    """A task that predicts every label that applies."""

    takes_columns: ClassVar[bool] = True

    kind: Literal["multilabel"] = Field(description="Every label that applies.")
    label: Columns = Field(  # type: ignore[assignment]  # a list, too
        "label", description="Column of the labels; a list names one column a label, each 0 or 1."
    )
    classes: tuple[NumberOrText, ...] | None = Field(
        None, description="The labels in order; found in the training labels when not given."
    )
    separator: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="What stands between two labels of a text cell; a comma when not given."
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.classes is not None and len(set(self.classes)) < max(1, len(self.classes)):
            raise ValueError(f"'classes' is {list(self.classes)}, expected one or more different names")
        if not isinstance(self.label, str):
            for key in ("classes", "separator"):
                if getattr(self, key) is not None:
                    raise ValueError(
                        f"found '{key}' and a list of label columns, expected one (columns name the labels)"
                    )
        return self

    @property
    def label_name(self) -> str:
        """What messages and tables call the column of the label, or the columns."""
        return self.label if isinstance(self.label, str) else ", ".join(self.label)

    def task_fields(self) -> dict[str, Any]:
        """Return labels, columns and separator."""
        columns = () if isinstance(self.label, str) else self.label
        return {"classes": columns or self.classes or (), "columns": columns, "separator": self.separator or ","}

    def with_label_space(self, fitted: Task) -> Self:
        """Return this section with the labels that were found on train written out."""
        return self.model_copy(update={"classes": fitted.class_names}) if isinstance(self.label, str) else self
