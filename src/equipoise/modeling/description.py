"""What `equipoise.json` says of a model."""

from pathlib import Path
from typing import Literal

from equipoise import predicting
from equipoise.kinds import Task
from equipoise.predicting import DescriptionPart, ModelFacts

FORMAT_VERSION = 2
"""Since 2 a task's format is head or prompt; 1 called it module or instruct."""


class Prompting(DescriptionPart):
    """How a prompt is brought to the model; see `equipoise.data.ChatStyle`."""

    chat: bool = True
    system: str | None = None


class BaseModelOf(DescriptionPart):
    """The base under a model's adapter."""

    name: str
    fingerprint: str
    quantization: Literal["none", "4bit"] = "none"


class Description(ModelFacts):
    """What a model's folder says of it."""

    pooling: Literal["mean", "last", "attention"] = "mean"  # files from before there was a choice have none
    prompt: Prompting = Prompting()
    base: BaseModelOf | None = None


def read_description(path: Path) -> tuple[Description, dict[str, Task]]:
    """Read a model's `equipoise.json`; see `equipoise.predicting.read_description`."""
    return predicting.read_description(path, Description, FORMAT_VERSION)
