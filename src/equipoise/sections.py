"""What every part of the run file shares."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

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
