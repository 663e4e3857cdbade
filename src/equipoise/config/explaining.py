"""What is wrong with a run file, in plain words."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from equipoise.errors import did_you_mean
from equipoise.kinds import get_kind, list_kinds

from .reference import list_keys
from .schema import RunConfig

_TASKS = ("tasks", "held_out")
_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "keys",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number",
    "int_type": "a whole number",
    "model_type": "keys",
    "path_type": "a path",
    "string_pattern_mismatch": "letters, digits, - and _ only",
    "string_too_short": "some text",
    "tuple_type": "a list",
}
"""What a value should be, by pydantic's type of error; its own words do where they are plain."""


def explain(problem: Any) -> str:
    """Turn one pydantic error into ours: key, found, expected, way out."""
    location = [str(part) for part in problem["loc"]]
    key = ".".join(_without_kind(location))
    kind, found = problem["type"], problem["input"]
    if kind == "union_tag_not_found":
        return f"{key}.kind: missing, expected one of {', '.join(list_kinds())}."
    if kind == "union_tag_invalid":
        given = problem["ctx"]["tag"]
        return f"{key}: 'kind' is {name_type(given)}, which does not exist. {did_you_mean(given, list_kinds())}"
    if kind == "extra_forbidden" and (owners := _kinds_of(location)):
        *task, own, last = location
        return f"{'.'.join(task)}: '{last}' goes with kind: {' or '.join(owners)}, found kind: {own}."
    if kind in ("extra_forbidden", "invalid_key"):
        return f"{key}: unknown key. {_find_key(location[-1], _keys_at(location[:-1]))}"
    if kind == "too_long" or (kind == "missing" and isinstance(found, list | tuple)):
        location, number = (location, "fewer") if kind == "too_long" else (location[:-1], "more")
        return (
            f"{'.'.join(_without_kind(location))}: found {list(found)}, expected {number} values. {_describe(location)}"
        )
    if kind == "missing":
        return f"{key}: missing, expected a value. {_describe(location)}".strip()
    if kind == "value_error":
        message = str(problem["ctx"]["error"])
        return f"{key}: {message}" if message.endswith((".", "?")) else f"{key}: {message}."
    if kind == "string_type":
        expected = "a text" if found is None or isinstance(found, list | Mapping) else "a text: write it in quotes"
        if isinstance(found, bool):
            expected += " (YAML takes yes, no, on and off for true and false)"
    else:
        expected = _EXPECTED.get(kind) or problem["msg"].removeprefix("Input should be ")
    if kind == "string_too_long":
        expected = f"{problem['ctx']['max_length']} characters at most"
    if location[-1] == "[key]":
        return f"{'.'.join(_without_kind(location[:-2]))}: found the name {name_type(found)}, expected {expected}."
    hint = _closest(found, location) if kind == "literal_error" else ""
    return " ".join(f"{key}: found {name_type(found)}, expected {expected}. {hint} {_describe(location)}".split())


def name_type(value: Any) -> str:
    """Return a value as messages show it, or the word for its type where it is large."""
    if value is None:
        return "nothing"
    if isinstance(value, int) and value.bit_length() > 200:  # Python writes out no number of thousands of digits
        return f"a number of about {value.bit_length() * 3 // 10:,} digits"
    if isinstance(value, str) and len(value) > 60:
        return repr(value[:60] + "…")
    if isinstance(value, str | int | float | bool):
        return repr(value)
    if isinstance(value, date):
        return f"the date {value}"
    if isinstance(value, Mapping):
        return "keys"
    return "a list" if isinstance(value, list) else type(value).__name__


def _without_kind(location: Sequence[str]) -> Sequence[str]:
    """Leave out the kind that pydantic puts behind a task's name."""
    return [*location[:2], *location[3:]] if _is_in_task(location) else location


def _is_in_task(location: Sequence[str]) -> bool:
    return len(location) > 2 and location[0] in _TASKS and location[2] in list_kinds()


def _kinds_of(location: Sequence[str]) -> list[str]:
    """The kinds that have a key that another kind of task does not have."""
    if not _is_in_task(location) or len(location) != 4:
        return []
    return [name for name, kind in list_kinds().items() if location[3] in kind.config_type.model_fields]


def _section_at(location: Sequence[str]) -> type[BaseModel] | None:
    """Find the schema a key path points into; the user's own names (of sources, tasks) are one level each."""
    annotation: Any = RunConfig
    for place, part in enumerate(location):
        if place == 2 and _is_in_task(location):
            annotation = get_kind(part).config_type
            continue
        if get_origin(annotation) is dict:
            annotation = get_args(annotation)[1]
            continue
        section = _schema_in(annotation)
        if section is None or part not in section.model_fields:
            return None
        annotation = section.model_fields[part].annotation
    return _schema_in(annotation)


def _schema_in(annotation: Any) -> type[BaseModel] | None:
    """The schema in `X` or `X | None`."""
    for choice in (annotation, *get_args(annotation)):
        if isinstance(choice, type) and issubclass(choice, BaseModel):
            return choice
    return None


def _keys_at(location: Sequence[str]) -> list[str]:
    section = _section_at(location)
    return list(section.model_fields) if section else []


def _find_key(word: str, known: Sequence[str]) -> str:
    """Return the key that the user may have meant: one of this section, or of the same name in another."""
    hint = did_you_mean(word, known)
    places = dict.fromkeys(key.path for key in list_keys() if key.path.rpartition(".")[2] == word)
    if hint.startswith("Did you mean") or not places:
        return hint
    return f"It stands at {' or '.join(list(places)[:3])}."


def _closest(found: Any, location: Sequence[str]) -> str:
    """The value of a fixed list that the user may have meant."""
    section = _section_at(location[:-1])
    if section is None or location[-1] not in section.model_fields:
        return ""
    hint = did_you_mean(str(found), _literals(section.model_fields[location[-1]].annotation))
    return hint if hint.startswith("Did you mean") else ""


def _literals(annotation: Any) -> list[str]:
    """The values that an annotation lists, such as those of `Literal["a", "b"] | None`."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [value for part in get_args(annotation) for value in _literals(part)]


def _describe(location: Sequence[str]) -> str:
    section = _section_at(location[:-1])
    if section is None or location[-1] not in section.model_fields:
        return ""
    return section.model_fields[location[-1]].description or ""
