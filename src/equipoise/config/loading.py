"""Reading and writing run files."""

import os
import re
import shlex
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from equipoise.checks import checked_path
from equipoise.errors import MESSAGE_LIMIT, EquipoiseWarning, UsageError, did_you_mean
from equipoise.files import read_bytes
from equipoise.kinds import list_former_names, with_current_names

from .explaining import explain, name_type
from .names import check_names
from .parsing import parse_yaml
from .schema import RunConfig, current_schema
from .sources import SourceConfig

RUN_FILE_LIMIT = 1_000_000
"""Bytes of a run file, at most."""
_PATH_KEY = re.compile(r"output|sources\.[^.]+\.(path|train|dev|test)")
_VARIABLE = re.compile(r"(\$+)\{(\w+)\}")
_FORMER_KEYS = {"merge": {"rivals": "baselines"}}
"""By section: keys that run files used to have and that are still read, and what they are called now."""
_DATA_ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet", ".xlsx")
"""Endings of files that are never run files; .json may be one."""
_LEVELS = 20
"""Levels of a key of an override, at most."""


def load_config(path: str | Path, overrides: Sequence[str] = (), *, scored: bool = True) -> RunConfig:
    """Read a run file.

    Relative paths are taken from the run file's folder; `${NAME}` stands for an environment variable.

    Args:
        path: the run file (YAML).
        overrides: `key=value` settings that win over the file, with dots between levels
            (`train.epochs=3`); values are YAML, and relative paths are taken from the working folder.
        scored: refuse a file whose tasks are all auxiliary; a part of a larger work may train such ones alone.

    Raises:
        UsageError: the file cannot be read, or a key or value is not what it should be; the message lists
            every problem found.
    """
    path = checked_path("run file", path, "give the path of a run file (YAML)")
    if path.suffix.lower() in _DATA_ENDINGS and path.is_file():
        raise _explain_data_file(path)
    try:
        text = read_bytes(path, RUN_FILE_LIMIT, UsageError).decode("utf-8")
    except UsageError as error:
        message = str(error).replace("cannot be read", "cannot read the run file")
        raise UsageError(message + _find_run_file(path)) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start} is not UTF-8; save the run file as UTF-8.") from None
    data = parse_yaml(text, str(path))
    if isinstance(data, list) and path.suffix.lower() == ".json":
        raise _explain_data_file(path)
    if not isinstance(data, dict):
        raise UsageError(f"{path}: found {name_type(data)}, expected keys such as 'sources' and 'tasks'.")
    for override in overrides:
        _apply_override(data, override)
    return make_config(data, where=str(path), folder=path.parent, scored=scored)


def _find_run_file(path: Path) -> str:
    """Say which run file may be meant where there is none of a name, and how one is made."""
    try:
        path.stat()
    except FileNotFoundError:
        names = _list_run_files(path.parent)
    except (OSError, ValueError):
        return ""
    else:
        return ""
    return f" {did_you_mean(path.name, names)}" if names else " `equipoise init` writes one for your files."


def _list_run_files(folder: Path) -> list[str]:
    try:
        return [file.name for file in folder.iterdir() if file.suffix.lower() in (".yaml", ".yml")]
    except OSError:
        return []


def _explain_data_file(path: Path) -> UsageError:
    return UsageError(
        f"{path}: found a data file, expected a run file (YAML). `equipoise init {shlex.quote(str(path))}` "
        "writes a run file for it."
    )


def make_config(
    data: Mapping[str, Any], where: str = "run file", folder: str | Path = ".", *, scored: bool = True
) -> RunConfig:
    """Check plain data as a run file.

    Args:
        data: what the YAML would hold.
        where: what messages call it.
        folder: where relative paths start.
        scored: as in `load_config`.

    Raises:
        UsageError: a key or value is not what it should be.
    """
    try:
        config = current_schema().model_validate(_rename_former(_expand_variables(data, where, ()), where))
    except RecursionError:
        raise UsageError(f"{where}: not valid YAML: an alias (*) stands inside its own anchor (&).") from None
    except ValidationError as error:
        problems = list(dict.fromkeys(explain(problem) for problem in error.errors()))
        lines = [f"{where}: {problem}" for problem in problems]
        if sum(map(len, lines)) > MESSAGE_LIMIT:
            lines[1:-1] = problems[1:-1]  # more of them have room if only the first and the last say where
        raise UsageError(*lines) from None
    check_names(config, where)
    if not config.tasks:
        raise UsageError(f"{where}: tasks: found none, expected one or more.")
    if scored and all(task.auxiliary for task in config.tasks.values()):
        raise UsageError(
            f"{where}: tasks: found auxiliary tasks only, expected one or more to score; remove 'auxiliary' from "
            "the tasks that count."
        )
    return _resolve_paths(config, Path(folder), where)


def _rename_former(data: dict[str, Any], where: str) -> dict[str, Any]:
    """Give keys and values the names they have now, and say once which have others."""
    renamed, changed = dict(data), set()
    for section, keys in _FORMER_KEYS.items():
        if isinstance(given := data.get(section), dict):
            # Of two names for one key, the one that was given last counts, such as that of an override.
            renamed[section] = {keys.get(key, key): value for key, value in given.items()}
            changed |= {f"'{section}.{key}' is now '{section}.{keys[key]}'" for key in keys if key in given}
    for section in ("tasks", "held_out"):
        if isinstance(tasks := data.get(section), dict):
            known = {name: task for name, task in tasks.items() if isinstance(task, dict)}
            renamed[section] = {**tasks, **{name: with_current_names(task) for name, task in known.items()}}
            changed |= {change for task in known.values() for change in list_former_names(task)}
    if changed:
        message = f"{where}: {'; '.join(sorted(changed))}. The former names are read for now."
        warnings.warn(message, EquipoiseWarning, stacklevel=2)
    return renamed


def dump_config(config: RunConfig) -> str:
    """Return the run file as YAML, complete: every key with its value, paths absolute."""
    data = _escape_variables(config.model_dump(mode="json"))
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)


def _apply_override(data: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise UsageError(f"--set {override}: expected KEY=VALUE, for example train.epochs=3.")
    *parents, last = key.split(".")
    if len(parents) >= _LEVELS:
        raise UsageError(f"--set {override}: found a key of {len(parents) + 1} levels, expected {_LEVELS} at most.")
    section = data
    for parent in parents:
        inner = section.get(parent)
        if parent == "balance" and section is data and isinstance(inner, str):
            inner = {"name": inner}
        if inner is None:
            inner = {}
        if not isinstance(inner, dict):
            raise UsageError(f"--set {override}: '{parent}' holds {inner!r}, which has no keys of its own.")
        # A copy: with YAML's aliases, the same section may stand in several places.
        section[parent] = dict(inner)
        section = section[parent]
    section[last] = _from_here(key, parse_yaml(value, f"--set {override}"))


def _from_here(key: str, value: Any) -> Any:
    """Take a path in an override from the folder one is in, as a shell's user expects."""
    if isinstance(value, dict):
        return {name: _from_here(f"{key}.{name}", item) for name, item in value.items()}
    if isinstance(value, list):
        return [_from_here(key, item) for item in value]
    if not isinstance(value, str) or value.startswith(("~", "${")):
        return value
    names_folder = key == "model" and _is_model_folder(value, Path())
    return os.path.abspath(value) if names_folder or _PATH_KEY.fullmatch(key) else value


def _is_model_folder(model: str, folder: Path) -> bool:
    """Whether `model` names a folder, not a starter or a hub id; a folder beside is one if it holds a model."""
    return model.startswith((".", "~", "/")) or os.path.isfile(folder / model / "config.json")


def _expand_variables(value: Any, where: str, keys: tuple[str, ...]) -> Any:
    if isinstance(value, Mapping):
        return {key: _expand_variables(item, where, (*keys, str(key))) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand_variables(item, where, keys) for item in value]
    if not isinstance(value, str):
        return value

    def variable(match: re.Match[str]) -> str:
        dollars, name = match.groups()
        if len(dollars) > 1:  # $${NAME} is the text ${NAME}
            return match.group()[1:]
        if not os.environ.get(name):
            raise UsageError(
                f"{where}: {'.'.join(keys)}: the environment variable {name} is not set, or empty; "
                f"set it (export {name}=…) or write the value out."
            )
        return os.environ[name]

    return _VARIABLE.sub(variable, value)


def _escape_variables(value: Any) -> Any:
    """Write texts such as `${NAME}` so that they read back as they are: all variables are filled in by now."""
    if isinstance(value, Mapping):
        return {key: _escape_variables(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escape_variables(item) for item in value]
    return _VARIABLE.sub(r"$\g<0>", value) if isinstance(value, str) else value


def _resolve_paths(config: RunConfig, folder: Path, where: str) -> RunConfig:
    def resolve(key: str, path: Path) -> Path:
        if "\0" in str(path):
            raise UsageError(f"{where}: {key}: found a path with a null character in it, expected one without.")
        try:
            os.path.join(folder, path).encode()
        except UnicodeEncodeError:
            raise UsageError(f"{where}: {key}: found a path that is not UTF-8, {path}; rename it.") from None
        try:
            return Path(os.path.abspath(folder / path.expanduser()))
        except RuntimeError:
            raise UsageError(
                f"{where}: {key}: found '{path}', but the home folder of '{path.parts[0]}' is not known; "
                "write the path out."
            ) from None

    def resolve_source(name: str, source: SourceConfig) -> SourceConfig:
        return source.model_copy(
            update={key: resolve_all(f"sources.{name}.{key}", paths) for key, paths in source.paths().items()}
        )

    def resolve_all(key: str, paths: Sequence[Path]) -> tuple[Path, ...]:
        resolved = [resolve(key, path) for path in paths]
        for number, path in enumerate(resolved):
            if os.path.realpath(path) in map(os.path.realpath, resolved[:number]):
                raise UsageError(f"{where}: {key}: found '{path}' twice, expected different paths; remove one.")
        return tuple(resolved)

    model = config.model
    if _is_model_folder(model, folder):
        model = str(resolve("model", Path(model)))
    return config.model_copy(
        update={
            "model": model,
            "sources": {name: resolve_source(name, source) for name, source in config.sources.items()},
            "output": resolve("output", config.output),
        }
    )
