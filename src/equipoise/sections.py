"""What every part of the run file shares."""

from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticKnownError

Fraction = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[\w-]+$", max_length=60)]
"""Of a source or a task, after which files are named: 60 letters have 240 bytes at most, a file's name 255."""
Count = Annotated[int, Field(le=1_000_000_000)]
"""A whole number that memory and arithmetic can bear."""
NumberOrText = Annotated[str, Field(coerce_numbers_to_str=True)]
EMPTY_IS_DEFAULT = BeforeValidator(lambda value: {} if value is None else value)
"""A section whose keys are all left out, or commented out, is null in YAML."""


class Section(BaseModel):
    """A part of the run file; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_truth(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse true and false for a number, which they are to Python: 1 and 0."""
        if isinstance(value, bool) and info.field_name is not None:
            types = _types_in(cls.model_fields[info.field_name].annotation)
            if bool not in types and types & {int, float}:
                raise PydanticKnownError("int_type" if int in types else "float_type")
        return value


def _types_in(annotation: Any) -> set[Any]:
    """Return the types that an annotation names, those of a union too; items of lists are not looked at."""
    if get_origin(annotation) not in (Union, UnionType, Annotated):
        return {get_origin(annotation) or annotation}
    parts = get_args(annotation)[:1] if get_origin(annotation) is Annotated else get_args(annotation)
    return {kind for part in parts for kind in _types_in(part)}
