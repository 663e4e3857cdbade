"""A run file from Python's keywords, for tables in memory."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.errors import UsageError, did_you_mean

from .loading import make_config
from .schema import RunConfig, TrainConfig, current_schema
from .sources import SourceConfig

_WHERE = "train()"
_ORIGINS = ("path", "train", "dev", "test", "hub", "hub_config", "hub_rows", "starter")
"""Keys of a source that say where its rows come from, which the tables do."""
_OF_TASKS = ("text", "pair")
"""Keys of a task that can be given once for all."""


def make_table_config(
    files: Mapping[str, Mapping[str, Path]], keys: Mapping[str, Any], settings: Mapping[str, Any]
) -> RunConfig:
    """Return the run file of tables in memory.

    Args:
        files: the files the tables are written to, by source and its key ("path", or "train", "dev", "test"), as a
            function of `output`, which is only known here: relative paths start in the output folder.
        keys: sections and keys of the run file by their names (`tasks`, `model`, `balance`, …), those of `train` too
            (`epochs`), those of a source for all of them (`group`), and `text` and `pair` for all tasks.
        settings: further keys of the run file, nested or with dots between levels; keywords win over them.

    Raises:
        UsageError: a key or value is not what it should be.
    """
    data: dict[str, Any] = {}
    for key, value in settings.items():
        _put(data, key.split("."), _plain(value))
    of_tasks: dict[str, Any] = {}
    of_sources: dict[str, Any] = {}
    for key, value in keys.items():
        value = _plain(value)
        if key in current_schema().model_fields:
            _put(data, [key], value)
        elif key in TrainConfig.model_fields:
            _put(data, ["train", key], value)
        elif key in _source_keys():
            of_sources[key] = value
        elif key in _OF_TASKS:
            of_tasks[key] = value
        else:
            raise _unknown(key)
    output = Path(str(data["output"])).expanduser() if data.get("output") else Path()
    data["sources"] = _fill_sources(data.get("sources"), files, of_sources, output)
    if len(files) == 1:
        of_tasks["source"] = next(iter(files))
    if isinstance(tasks := data.get("tasks"), dict):
        data["tasks"] = {name: _fill(task, of_tasks) for name, task in tasks.items()}
    return make_config(data, where=_WHERE)


def as_overrides(keys: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    """Return keywords for a run file that lies on the disk as overrides of it, `key=value`.

    Raises:
        UsageError: a keyword goes with tables only, or is unknown.
    """
    given = {key: _plain(value) for key, value in settings.items()}
    for key, value in keys.items():
        if key in current_schema().model_fields:
            given[key] = _plain(value)
        elif key in TrainConfig.model_fields:
            given[f"train.{key}"] = _plain(value)
        elif key in _source_keys() or key in _OF_TASKS:
            raise UsageError(
                f"{_WHERE}: '{key}' goes with a table, found a run file; give it as settings, such as "
                "{'sources.NAME.group': 'author'} or {'tasks.NAME.text': 'review'}."
            )
        else:
            raise _unknown(key)
    return [f"{key}={json.dumps(value)}" for key, value in given.items()]


def _source_keys() -> list[str]:
    return [key for key in SourceConfig.model_fields if key not in _ORIGINS]


def _unknown(key: str) -> UsageError:
    if key == "device":
        return UsageError(f"{_WHERE}: unknown keyword 'device'. Call equipoise.use_device('cuda:1') before.")
    known = [*RunConfig.model_fields, *TrainConfig.model_fields, *_source_keys(), *_OF_TASKS]
    return UsageError(f"{_WHERE}: unknown keyword '{key}'. {did_you_mean(key, known)}")


def _put(data: dict[str, Any], keys: list[str], value: Any) -> None:
    """Set a key; sections are merged, all else is replaced."""
    key, *inner = keys
    if inner:
        below = data.get(key)
        # `balance: dao` is short for `balance: {name: dao}`.
        section = {"name": below} if key == "balance" and isinstance(below, str) else below
        data[key] = dict(section) if isinstance(section, dict) else {}
        _put(data[key], inner, value)
    elif isinstance(value, dict) and isinstance(data.get(key), dict):
        for name, item in value.items():
            data[key] = dict(data[key])
            _put(data[key], [name], item)
    else:
        data[key] = value


def _fill_sources(
    given: Any, files: Mapping[str, Mapping[str, Path]], shared: Mapping[str, Any], output: Path
) -> dict[str, Any]:
    """Return the sources: the keys that are given for each, those for all, and the files of its table."""
    sources = given if isinstance(given, dict) else {}
    for name, source in sources.items():
        if name not in files:
            raise UsageError(f"{_WHERE}: sources.{name}: there is no table '{name}'. {did_you_mean(name, files)}")
        for key in _ORIGINS:
            if isinstance(source, dict) and source.get(key) is not None:
                raise UsageError(f"{_WHERE}: sources.{name}.{key}: the rows are those of the table; leave it out.")
    return {
        name: {**_fill(sources.get(name) or {}, shared), **{key: str(output / path) for key, path in paths.items()}}
        for name, paths in files.items()
    }


def _fill(section: Any, shared: Mapping[str, Any]) -> Any:
    return {**shared, **section} if isinstance(section, dict) else section


def _plain(value: Any) -> Any:
    """Return a value as YAML would hold it: paths as text, tuples as lists, numbers of numpy as Python's."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.item() if type(value).__module__ == "numpy" and hasattr(value, "item") else value
