"""Reading and writing run files."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from equipoise.errors import UsageError, did_you_mean

from .schema import RunConfig, SourceConfig

_VARIABLE = re.compile(r"\$\{(\w+)\}")


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Read a run file.

    Relative paths are taken from the run file's folder; `${NAME}` stands for an environment variable.

    Args:
        path: the run file (YAML).
        overrides: `key=value` settings that win over the file, with dots between levels
            (`train.epochs=3`); values are YAML.

    Raises:
        UsageError: the file cannot be read, or a key or value is not what it should be; the message lists
            every problem found.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot read the run file ({error.strerror}).") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start} is not UTF-8; save the run file as UTF-8.") from None
    try:
        data = yaml.load(text, Loader=_StrictLoader)
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise UsageError(f"{path}: found {_name_type(data)}, expected keys such as 'sources' and 'tasks'.")
    for override in overrides:
        _apply_override(data, override)
    return make_config(data, where=str(path), folder=path.parent)


def make_config(data: Mapping[str, Any], where: str = "run file", folder: str | Path = ".") -> RunConfig:
    """Check plain data as a run file.

    Args:
        data: what the YAML would hold.
        where: what messages call it.
        folder: where relative paths start.

    Raises:
        UsageError: a key or value is not what it should be.
    """
    try:
        config = RunConfig.model_validate(_expand_variables(data, where, ()))
    except ValidationError as error:
        problems = [_explain(problem) for problem in error.errors()]
        raise UsageError("\n".join(f"{where}: {problem}" for problem in problems)) from None
    for name, task in config.tasks.items():
        if task.source not in config.sources:
            hint = did_you_mean(task.source, config.sources)
            raise UsageError(f"{where}: tasks.{name}.source: '{task.source}' is not a source. {hint}")
    if not config.tasks:
        raise UsageError(f"{where}: tasks: found none, expected one or more.")
    return _resolve_paths(config, Path(folder))


def dump_config(config: RunConfig) -> str:
    """Return the run file as YAML, complete: every key with its value, paths absolute."""
    data = config.model_dump(mode="json")
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)


class _StrictLoader(yaml.SafeLoader):
    """YAML in which a key given twice is an error instead of a silent loss."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.YAMLError(f"line {key_node.start_mark.line + 1}: key '{key}' is given twice")
            seen.add(key)
        return super().construct_mapping(node, deep)


def _apply_override(data: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise UsageError(f"--set {override}: expected KEY=VALUE, for example train.epochs=3.")
    *parents, last = key.split(".")
    section = data
    for parent in parents:
        inner = section.get(parent)
        if parent == "balance" and section is data and isinstance(inner, str):
            inner = {"name": inner}
        if inner is None:
            inner = {}
        if not isinstance(inner, dict):
            raise UsageError(f"--set {override}: '{parent}' holds {inner!r}, which has no keys of its own.")
        section[parent] = inner
        section = inner
    try:
        section[last] = yaml.load(value, Loader=_StrictLoader)
    except yaml.YAMLError:
        raise UsageError(f"--set {override}: the value is not valid YAML.") from None


def _expand_variables(value: Any, where: str, keys: tuple[str, ...]) -> Any:
    if isinstance(value, Mapping):
        return {key: _expand_variables(item, where, (*keys, str(key))) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand_variables(item, where, keys) for item in value]
    if not isinstance(value, str):
        return value

    def variable(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in os.environ:
            raise UsageError(
                f"{where}: {'.'.join(keys)}: the environment variable {name} is not set; "
                f"set it (export {name}=…) or write the value out."
            )
        return os.environ[name]

    return _VARIABLE.sub(variable, value)


def _resolve_paths(config: RunConfig, folder: Path) -> RunConfig:
    def resolve(path: Path) -> Path:
        return Path(os.path.abspath(folder / path.expanduser()))

    def resolve_source(source: SourceConfig) -> SourceConfig:
        paths = {key: getattr(source, key) for key in ("path", "train", "dev", "test")}
        return source.model_copy(update={key: resolve(path) for key, path in paths.items() if path is not None})

    model = config.model
    if model.startswith((".", "~", "/")) or (folder / model).is_dir():
        model = str(resolve(Path(model)))
    return config.model_copy(
        update={
            "model": model,
            "sources": {name: resolve_source(source) for name, source in config.sources.items()},
            "output": resolve(config.output),
        }
    )


def _explain(problem: Any) -> str:
    """Turn one pydantic error into ours: key, found, expected, way out."""
    location = [str(part) for part in problem["loc"]]
    key = ".".join(location)
    kind, found = problem["type"], problem["input"]
    if kind == "extra_forbidden":
        return f"{key}: unknown key. {did_you_mean(location[-1], _keys_at(location[:-1]))}"
    if kind == "missing":
        return f"{key}: missing, expected a value. {_describe(location)}".strip()
    if kind == "value_error":
        message = str(problem["ctx"]["error"])
        return f"{key}: {message}" if message.endswith((".", "?")) else f"{key}: {message}."
    expected = problem["msg"][0].lower() + problem["msg"][1:]
    expected = expected.removeprefix("input should be ")
    if kind == "model_type":
        expected = "keys"
    return f"{key}: found {_name_type(found)}, expected {expected}. {_describe(location)}".strip()


def _section_at(location: Sequence[str]) -> type[BaseModel] | None:
    """Find the schema a key path points into; the user's own names (of sources, tasks) are one level each."""
    annotation: Any = RunConfig
    for part in location:
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


def _describe(location: Sequence[str]) -> str:
    section = _section_at(location[:-1])
    if section is None or location[-1] not in section.model_fields:
        return ""
    return section.model_fields[location[-1]].description or ""


def _name_type(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, str | int | float | bool):
        return repr(value)
    if isinstance(value, Mapping):
        return "keys"
    return "a list" if isinstance(value, list) else type(value).__name__
