"""The run file's keys of a source."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, model_validator

from equipoise.dialects import Dialect, read_decimal, read_encoding, read_quotechar, read_sep
from equipoise.keys import name_key
from equipoise.sections import EMPTY_IS_DEFAULT, Count, Fraction, NumberOrText, Section


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


def _read_map(value: Any) -> Any:
    """Check spellings, or spellings by column; numbers become text."""
    if not isinstance(value, Mapping):
        raise ValueError(f"found {value!r}, expected spellings and what they are read as, such as {{POS: positive}}")
    by_column = [key for key, inner in value.items() if isinstance(inner, Mapping)]
    if by_column and len(by_column) < len(value):
        other = next(key for key in value if key not in by_column)
        raise ValueError(
            f"found the column '{by_column[0]}' and the spelling '{other}', expected spellings only, or columns only"
        )
    if by_column:
        return {str(column): _read_spellings(inner) for column, inner in value.items()}
    return _read_spellings(value)


def _read_spellings(value: Mapping[Any, Any]) -> dict[str, str]:
    spellings: dict[str, str] = {}
    keys: dict[str, str] = {}
    for spelling, name in value.items():
        if isinstance(name, bool) or not isinstance(name, str | int | float):
            hint = " in quotes (YAML takes yes, no, on and off for true and false)" * isinstance(name, bool)
            raise ValueError(f"found {name!r} for the spelling '{spelling}', expected a class or a number{hint}")
        spelling, name = str(spelling), str(name)
        if not name_key(spelling) or not name_key(name):
            raise ValueError(f"found {spelling!r}: {name!r}, expected names; cells that mean nothing go into 'na'")
        other = keys.setdefault(name_key(spelling), spelling)
        if spellings.get(other, name) != name:
            raise ValueError(
                f"found the spellings {other!r} and {spelling!r}, which are one, for two names; leave one out"
            )
        spellings[other] = name
    return spellings


def _each(value: Any) -> Any:
    return [value] if isinstance(value, str | int | float) and not isinstance(value, bool) else value


_Encoding = Annotated[str, AfterValidator(read_encoding)]
_Separator = Annotated[str, AfterValidator(read_sep)]
_Quotechar = Annotated[str, AfterValidator(read_quotechar)]
_Decimal = Annotated[str, AfterValidator(read_decimal)]


class LimitConfig(Section):
    """How many rows of each split to use; the choice is by text hash, so it is stable."""

    train: Count | None = Field(None, gt=0, description="Rows of the training split.")
    dev: Count | None = Field(None, gt=0, description="Rows of the dev split.")
    test: Count | None = Field(None, gt=0, description="Rows of the test split.")


class SourceConfig(Section):
    """Rows from files, a folder, a hub data set or the starter corpus."""

    path: Paths = Field(
        None,
        description="A file (CSV, TSV, JSON, JSONL, Parquet, XLSX) to split automatically, or a folder that holds "
        "train, dev and test files; or a list of files, or of folders, that are joined.",
    )
    train: Paths = Field(None, description="File, or list of files, of the training split.")
    dev: Paths = Field(None, description="File, or list of files, of the dev split; taken from train when not given.")
    test: Paths = Field(None, description="File, or list of files, of the test split; taken from train when not given.")
    hub: str | None = Field(None, description="Hugging Face hub id of a data set (needs the network once).")
    hub_config: str | None = Field(None, description="Configuration name of the hub data set.")
    hub_rows: Count | None = Field(
        None,
        gt=0,
        description="Read so many rows of each split of the hub data set, drawn from the beginning of the stream "
        "through a buffer of 10,000; what comes behind is not downloaded.",
    )
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
    encoding: _Encoding | None = Field(
        None, description="Encoding of the files' text, such as cp1252 or utf-16; UTF-8 when not given."
    )
    sep: _Separator | None = Field(
        None,
        description="What stands between two cells of CSV and TSV files: one character, or the word tab; a comma in "
        ".csv and a tab in .tsv when not given.",
    )
    quotechar: _Quotechar | None = Field(
        None,
        description="What encloses a cell of CSV and TSV files: one character, or none where quotation marks are plain "
        "characters; double quotes when not given.",
    )
    decimal: _Decimal | None = Field(
        None,
        description="What stands before the decimals of scores in text cells of CSV, TSV and XLSX files: ',' or '.'; "
        "separators between thousands are not read.",
    )
    sheet: str | None = Field(
        None, description="Sheet of XLSX files; not needed where one sheet only has rows. Needs the extra xlsx."
    )
    na: Annotated[tuple[NumberOrText, ...], BeforeValidator(_each)] = Field(
        (), description="Further cells that mean missing, such as [n/a, '-']; an empty cell always does."
    )
    map: Annotated[dict[str, Any], BeforeValidator(_read_map)] = Field(
        {},
        description="Spellings of labels and what they are read as, such as {POS: positive}, for every task that reads "
        "the source; or the same by label column: {COLUMN: {POS: positive}}.",
    )
    clean: Literal["html"] | None = Field(
        None, description="html: take the tags of HTML out of texts, and put characters in the place of entities."
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
        for key in ("hub_config", "hub_rows"):
            if getattr(self, key) and not self.hub:
                raise ValueError(f"'{key}' goes with 'hub'")
        if self.dialect.given and not self.paths():
            raise ValueError(f"'{next(iter(self.dialect.given))}' goes with 'path' or 'train', found '{origins[0]}'")
        if problem := self.dialect.find_problem():
            raise ValueError(problem)
        if abs(sum(self.split) - 1) > 1e-6 or self.split[0] == 0:
            raise ValueError(f"'split' is {list(self.split)}, expected three shares that add up to 1, train above 0")
        return self

    def paths(self) -> dict[str, tuple[Path, ...]]:
        """The files and folders it names, by key ("path", "train", "dev", "test"); a key without any is left out."""
        given = {"path": self.path, "train": self.train, "dev": self.dev, "test": self.test}
        return {key: paths for key, paths in given.items() if paths is not None}

    @property
    def dialect(self) -> Dialect:
        """How its files are written."""
        return Dialect(self.encoding, self.sep, self.quotechar, self.decimal, self.sheet)

    @property
    def mapped_columns(self) -> tuple[str, ...]:
        """The columns that `map` names; none where its spellings are for all of them."""
        return tuple(column for column, inner in self.map.items() if isinstance(inner, Mapping))

    def spellings(self, column: str | None) -> dict[str, str]:
        """Return what `map` says of the labels in a column.

        Args:
            column: the column; None for what is said of all columns.
        """
        return self.map.get(column or "", {}) if self.mapped_columns else self.map
