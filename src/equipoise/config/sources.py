"""The run file's keys of a source."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from equipoise.sections import EMPTY_IS_DEFAULT, Count, Fraction, Section


def _list_paths(value: Any) -> Any:
    if value is None:
        return None
    paths = value if isinstance(value, list | tuple) else [value]
    if not paths:
        raise ValueError("found an empty list, expected one path or more")
    for path in paths:
        if not isinstance(path, str | Path):
            raise ValueError(f"found {path!r}, expected a path or a list of paths")
    return paths


Paths = Annotated[
    tuple[Path, ...] | None,
    BeforeValidator(_list_paths),
    PlainSerializer(lambda paths: paths[0] if paths and len(paths) == 1 else paths),
]
"""One path or several; one alone is written without a list."""


class LimitConfig(Section):
    """How many rows of each split to use; the choice is by text hash, so it is stable."""

    train: Count | None = Field(None, gt=0, description="Rows of the training split.")
    dev: Count | None = Field(None, gt=0, description="Rows of the dev split.")
    test: Count | None = Field(None, gt=0, description="Rows of the test split.")


class SourceConfig(Section):
    """Rows from files, a folder, a hub data set or the starter corpus."""

    path: Paths = Field(
        None,
        description="A file (CSV, TSV, JSON, JSONL, Parquet) to split automatically, or a folder that holds "
        "train, dev and test files; or a list of files, or of folders, that are joined.",
    )
    train: Paths = Field(None, description="File, or list of files, of the training split.")
    dev: Paths = Field(None, description="File, or list of files, of the dev split; taken from train when not given.")
    test: Paths = Field(None, description="File, or list of files, of the test split; taken from train when not given.")
    hub: str | None = Field(None, description="Hugging Face hub id of a data set (needs the network once).")
    hub_config: str | None = Field(None, description="Configuration name of the hub data set.")
    starter: str | None = Field(None, description="Name of a starter corpus (`equipoise fetch` lists them).")
    group: str | None = Field(
        None,
        description="Column that names the document (or author) a row belongs to; a group is never split.",
    )
    disagreement: str | None = Field(
        None,
        description="Column with the annotators' disagreement, a number from 0 up such as the standard deviation of "
        "their ratings; a part of difficulty (docs/curriculum.md).",
    )
    split: tuple[Fraction, Fraction, Fraction] = Field(
        (0.8, 0.1, 0.1),
        description="Shares of train, dev and test where a split is not given; assigned by hash of the group or text.",
    )
    subsets: tuple[str, ...] = Field(
        (), description="Columns by whose values (at most 20 each) the test metrics are also reported."
    )
    limit: Annotated[LimitConfig, EMPTY_IS_DEFAULT] = Field(LimitConfig(), description="Use fewer rows.")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        origins = [key for key in ("path", "train", "hub", "starter") if getattr(self, key) is not None]
        if len(origins) != 1:
            found = " and ".join(origins) if origins else "none of them"
            raise ValueError(f"found {found}, expected exactly one of 'path', 'train', 'hub', 'starter'")
        if (self.dev or self.test) and not self.train:
            raise ValueError(f"'dev' and 'test' go with 'train', found '{origins[0]}'")
        if self.hub_config and not self.hub:
            raise ValueError("'hub_config' goes with 'hub'")
        if abs(sum(self.split) - 1) > 1e-6 or self.split[0] == 0:
            raise ValueError(f"'split' is {list(self.split)}, expected three shares that add up to 1, train above 0")
        return self

    def paths(self) -> dict[str, tuple[Path, ...]]:
        """The files and folders it names, by key ("path", "train", "dev", "test"); a key without any is left out."""
        given = {"path": self.path, "train": self.train, "dev": self.dev, "test": self.test}
        return {key: paths for key, paths in given.items() if paths is not None}
