"""From a source of the run file to raw rows by split."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import datasets

from equipoise import starter
from equipoise.errors import DataError, UsageError, did_you_mean
from equipoise.keys import text_key
from equipoise.progress import progress

from .cells import CHUNK, are_many, pack
from .faults import Faults
from .reading import FORMATS, from_arrow, from_batches, read_rows
from .rows import Rows

if TYPE_CHECKING:
    from equipoise.config import SourceConfig

SPLITS = ("train", "dev", "test")
"""The splits, in order."""

SPLIT_NAMES = {
    "train": "train",
    "dev": "dev",
    "valid": "dev",
    "validation": "dev",
    "val": "dev",
    "test": "test",
}
"""How splits are called in files, folders and data sets."""

_BUFFER = 10_000
"""Rows of a streamed data set from which the next one is drawn."""


SourceReader: TypeAlias = Callable[["SourceConfig", tuple[str, ...], Faults], dict[str, list[Rows]]]
"""What reads a source's splits: `read_source`, or one of `read_once`."""


def read_once() -> SourceReader:
    """Return a `read_source` that keeps what it has read: for several tables of the same sources."""
    found: dict[tuple[str, tuple[str, ...]], dict[str, list[Rows]]] = {}

    def read(source: "SourceConfig", splits: tuple[str, ...], faults: Faults) -> dict[str, list[Rows]]:
        key = source.model_dump_json(), splits
        if key not in found:
            found[key] = read_source(source, splits, faults)
        return found[key]

    return read


def read_source(
    source: "SourceConfig", splits: Sequence[str] = SPLITS, faults: Faults | None = None
) -> dict[str, list[Rows]]:
    """Read the splits that a source gives, file by file: "train" always, "dev" and "test" where it has them.

    Only a hub set uses the network.

    Args:
        source: the source.
        splits: the splits to read; a file that is to be split counts as "train".
        faults: where it is kept that files cannot be read, which are left out then; None raises it.

    Raises:
        DataError: something is missing or cannot be read.
        UsageError: there is no such starter corpus, or a key says of a file how cells are written that it has not.
    """
    if source.hub is not None:
        return _read_hub(source.hub, source.hub_config, splits, source.hub_rows)
    files = _files(source, splits)
    if problem := source.dialect.find_misfit(path.suffix.lower() for paths in files.values() for path in paths):
        raise UsageError(f"{next(iter(files.values()))[0]}: {problem}.")
    found = Faults() if faults is None else faults
    rows: dict[str, list[Rows]] = {split: [] for split in files}
    for split, paths in files.items():
        for path in paths:
            with found.catch():
                rows[split].append(read_rows(path, source.dialect))
    if faults is None:
        found.stop()
    return rows


def _files(source: "SourceConfig", splits: Sequence[str]) -> dict[str, Sequence[Path]]:
    if source.starter is not None:
        return {"train": [_starter_corpus(source.starter)]}
    paths = source.paths()
    if "path" not in paths:
        return {split: paths[split] for split in splits if split in paths}
    folders = [path for path in paths["path"] if os.path.isdir(path)]
    if not folders:
        return {"train": paths["path"]}
    return _join_folders(folders, [path for path in paths["path"] if path not in folders], splits)


def _join_folders(folders: Sequence[Path], others: Sequence[Path], splits: Sequence[str]) -> dict[str, Sequence[Path]]:
    if others:
        raise DataError(
            f"{others[0]}: found no folder, but {folders[0]} beside it is one; expected a list of files only, or of "
            "folders only. Name the files in the run file (train, dev, test)."
        )
    found = [_folder_files(folder) for folder in folders]
    for split in splits:
        has = [split in files for files in found]
        if any(has) and not all(has):
            raise DataError(
                f"{folders[has.index(False)]}: found no {split} file, but {folders[has.index(True)]} beside it has "
                "one; expected all of them to have one, or none. Name the files in the run file (train, dev, test)."
            )
    return {split: [files[split] for files in found] for split in splits if split in found[0]}


def _starter_corpus(name: str) -> Path:
    corpora = [key for key, entry in starter.STARTERS.items() if entry.kind == "corpus"]
    if name not in corpora:
        raise UsageError(f"There is no starter corpus '{name}'. {did_you_mean(name, corpora)}")
    return starter.fetch(name) / "corpus.jsonl"


def _folder_files(folder: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror}).") from None
    for path in paths:
        split = SPLIT_NAMES.get(text_key(path.stem))
        if split is None or path.suffix.lower() not in FORMATS:
            continue
        if split in files:
            raise DataError(
                f"{folder}: found {files[split].name} and {path.name}, expected one file for {split}. "
                "Name the files in the run file (train, dev, test)."
            )
        files[split] = path
    if "train" not in files:
        names = [path.name for path in paths[:10]]
        raise DataError(
            f"{folder}: found {', '.join(names) or 'nothing'}, expected a train file (train.jsonl, train.csv, "
            "…). Rename it, or name the files in the run file (train, dev, test)."
        )
    return files


def _read_hub(name: str, config: str | None, splits: Sequence[str], count: int | None = None) -> dict[str, list[Rows]]:
    try:
        loaded = datasets.load_dataset(name, config) if count is None else _stream_hub(name, config, splits, count)
    except Exception as error:  # many kinds: no network, no such set, no rights, a broken file
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise DataError(
            f"hub set '{name}': cannot be loaded ({reason}). The first use needs the network; "
            "check the id and hub_config, or give files (train, dev, test)."
        ) from None
    rows: dict[str, list[Rows]] = {}
    names: dict[str, str] = {}
    for key, dataset in loaded.items():
        split = SPLIT_NAMES.get(text_key(str(key)))
        if split is not None and split in splits:
            if (other := names.setdefault(split, str(key))) != key:
                raise DataError(
                    f"hub set '{name}': found the splits '{other}' and '{key}', expected one for {split}. Save the "
                    "one you want as a file and give its path."
                )
            rows[split] = [dataset_rows(dataset, f"hub set '{name}', split '{key}'")]
    if "train" not in rows:
        raise DataError(
            f"hub set '{name}': found the splits {', '.join(map(str, loaded))}, expected one named train. "
            "Save the split you want as a file and give its path."
        )
    return rows


def _stream_hub(name: str, config: str | None, splits: Sequence[str], count: int) -> dict[Any, Any]:
    """Return some rows of each split that is asked for, without downloading the others."""
    found: dict[Any, Any] = datasets.load_dataset(name, config, streaming=True)
    for key, stream in found.items():
        if SPLIT_NAMES.get(text_key(str(key))) in splits:
            drawn = stream.shuffle(seed=0, buffer_size=_BUFFER).take(count)
            rows = []
            with progress(f"Reading {name}, {key}", count, "row") as bar:
                for row in drawn:
                    rows.append(row)
                    if bar is not None:
                        bar.advance(1)
            found[key] = datasets.Dataset.from_list(rows, features=stream.features)
    return found


def dataset_rows(dataset: Any, file: str) -> Rows:
    """Return the rows of a `datasets.Dataset`, the names of classes in the place of their numbers.

    Args:
        dataset: the data set.
        file: what messages call it.

    Raises:
        DataError: it has no rows, or two columns of one name.
    """
    table = dataset.with_format("arrow")
    rows = from_arrow(table[:], file) if not are_many(len(dataset)) else from_batches(table.iter(CHUNK), file)
    for column, feature in dataset.features.items():
        if isinstance(feature, datasets.ClassLabel):
            # -1 is how hub sets write "no label".
            names = dict(enumerate(feature.names))
            rows.columns[column] = pack(map(names.get, rows.columns[column]), len(rows))
        elif isinstance(inner := getattr(feature, "feature", None), datasets.ClassLabel):
            names = dict(enumerate(inner.names))
            named = (cell and [names.get(index) for index in cell] for cell in rows.columns[column])
            rows.columns[column] = pack(named, len(rows))
    if not rows:
        raise DataError(f"{file}: found no rows, expected one or more.")
    return rows
