"""What goes over the wire: requests, answers, and their examples for OpenAPI."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool

_ITEM = {
    "anyOf": [
        {"type": ["string", "number"]},
        {
            "type": "object",
            "properties": {"text": {"type": ["string", "number"]}, "pair": {"type": ["string", "number", "null"]}},
            "required": ["text"],
        },
    ]
}


class Asked(BaseModel):
    """A request for answers."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"texts": "The battery lasts all day, but the screen is dim."},
                {"texts": ["I love it.", {"text": "Cheap, and it shows.", "pair": "price"}], "level": 0.9},
            ]
        },
    )

    # An item of a wrong type gets an error of its own, so it is checked later; the schema tells what is expected.
    texts: Annotated[
        Any,
        Field(
            description="One text, or several. A text is a string (a number is read as its text), or an object with "
            "`text` and, for tasks that read a second text (a target, an aspect), `pair`.",
            json_schema_extra={"anyOf": [*_ITEM["anyOf"], {"type": "array", "items": _ITEM}]},
        ),
    ]
    tasks: Annotated[
        list[str] | None,
        Field(min_length=1, description="The tasks to answer; by default all that the text has what they read for."),
    ] = None
    level: Annotated[
        float | None,
        Field(gt=0, lt=1, description="Add sets of classes and intervals that hold the truth this often, such as 0.9."),
    ] = None
    abstain: Annotated[
        float | None, Field(gt=0, lt=1, description="Answer `unsure` below this calibrated confidence, such as 0.8.")
    ] = None
    explain: Annotated[
        StrictBool, Field(description="Add how much each word counted. It takes many times as long.")
    ] = False

    @property
    def options(self) -> tuple[tuple[str, Any], ...]:
        """What `Predictor.predict` is asked besides the tasks."""
        found = (("level", self.level), ("abstain", self.abstain), ("explain", self.explain or None))
        return tuple((name, value) for name, value in found if value is not None)


class Answers(BaseModel):
    """One answer for each text, in order: by task what `equipoise predict` answers, or `{"error": "…"}`."""

    answers: list[dict[str, Any]]


class Refusal(BaseModel):
    """Why a request as a whole is not answered."""

    error: str


class TaskInfo(BaseModel):
    """What a task answers."""

    kind: str
    classes: list[str]
    reads_pair: bool


class Info(BaseModel):
    """What the service answers, and what it takes at most."""

    model: str
    version: str
    precision: str
    tasks: dict[str, TaskInfo]
    limits: dict[str, int]


class Status(BaseModel):
    """Whether the service works."""

    status: str
