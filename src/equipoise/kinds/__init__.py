"""Task kinds and their label spaces, each in a file of its own."""

from typing import Any

from .base import LabelError, Task, View, as_text, parse_number, quote, shorten, show
from .classification import Classification
from .former_names import FORMER_FORMATS, FORMER_KEYS, with_current_names
from .generation import Generation
from .multilabel import Multilabel
from .names import NameIndex
from .prompts import check_template
from .regression import Regression

KINDS: dict[str, type[Task]] = {kind.kind: kind for kind in (Classification, Multilabel, Regression, Generation)}
"""The task kinds a run file can name."""


def task_from_dict(data: dict[str, Any]) -> Task:
    """Read back what `Task.to_dict` wrote."""
    current = with_current_names(data)
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in current.items()}
    kind = KINDS[str(fields.pop("kind"))]
    return kind(**fields)


__all__ = [
    "FORMER_FORMATS",
    "FORMER_KEYS",
    "KINDS",
    "Classification",
    "Generation",
    "LabelError",
    "Multilabel",
    "NameIndex",
    "Regression",
    "Task",
    "View",
    "as_text",
    "check_template",
    "parse_number",
    "quote",
    "shorten",
    "show",
    "task_from_dict",
    "with_current_names",
]
