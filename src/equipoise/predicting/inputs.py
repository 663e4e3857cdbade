"""What `Predictor.predict` is given: texts or rows, where each stands, and what is wrong with them."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from equipoise.data import MISSING, BadRow, Rows, clean_html, find_cell, list_nested
from equipoise.errors import UsageError, did_you_mean, shorten
from equipoise.kinds import as_text

from .problems import Problems
from .readers import Reader

Text = str | Mapping[str, Any] | BadRow
LONGEST_TEXT = 1_000_000
"""Characters of a text, at most."""
TAKEN = ("given", "error")
"""Keys of an answer besides those of the row and of the tasks."""


@dataclass(frozen=True)
class Inputs:
    """Texts or rows, and where each stands.

    Args:
        rows: texts, or rows that hold the columns the tasks read.
        where: names the place of a row, by its index; by default "row 1" and so on.
    """

    rows: Sequence[Text]
    where: Callable[[int], str] = lambda index: f"row {index + 1}"


def gather_inputs(texts: Any) -> Inputs:
    """Return what was given as texts or rows.

    Raises:
        UsageError: it is neither, such as a number or bytes.
        DataError: it is a table whose columns cannot be told apart.
    """
    if isinstance(texts, Inputs):
        return texts
    if isinstance(texts, Rows):
        return Inputs(_as_records(texts.columns), texts.where)
    if isinstance(texts, str | Mapping | BadRow):
        return Inputs([texts])
    if hasattr(type(texts), "columns"):  # a table, read as training reads it
        # Here, since Arrow, which this needs, takes its time to load.
        from equipoise.data import check_table, read_columns

        check_table("texts", texts)
        return Inputs(_as_records(read_columns(texts, "texts")) if len(texts) else [])
    if isinstance(texts, bytes | bytearray) or not isinstance(texts, Iterable):
        raise UsageError(f"texts: found {texts!r}, expected a text, several texts, or rows.")
    return Inputs(list(texts))


def _as_records(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def gather_pairs(pair: Any, count: int) -> list[Any]:
    """Return a second text for each row.

    Raises:
        UsageError: it is no text and no list of as many as there are rows.
    """
    if isinstance(pair, str) and (problem := _unreadable(pair)):
        raise UsageError(f"pair: {problem}")  # also where no task reads it: it is repeated in the answers
    if pair is None or isinstance(pair, str):
        return [pair] * count
    if isinstance(pair, bytes | bytearray | Mapping) or not isinstance(pair, Iterable):
        raise UsageError(f"pair: found {pair!r}, expected a text for all rows, or a list of one each.")
    pairs = list(pair)
    if len(pairs) != count:
        raise UsageError(f"pair: found {len(pairs)} for {count} texts, expected one for all or one each.")
    return pairs


def echo(row: Text, pair: str | None, tasks: Collection[str]) -> dict[str, Any]:
    """Return the part of an answer that repeats what was given."""
    if isinstance(row, BadRow):
        row = row.cells
    if isinstance(row, Mapping):
        taken = {*tasks, *TAKEN}
        kept = {column: value for column, value in row.items() if column not in taken}
        given = {column: value for column, value in row.items() if column in taken}
        return {**kept, "given": given} if given else kept
    return {"text": row} if pair is None else {"text": row, "pair": pair}


@dataclass(frozen=True)
class ReadRows:
    """What is read of rows.

    Args:
        items: for each reader what it reads of the rows that can be answered: a text and a second text.
        errors: what is wrong with each of the others, by its index.
        problems: the same for a message.
    """

    items: Mapping[Reader, list[tuple[str, str | None]]]
    errors: Mapping[int, str]
    problems: Problems


def read_inputs(inputs: Inputs, pairs: Sequence[Any], readers: Sequence[Reader]) -> ReadRows:
    """Return what each reader reads of every row: the text and, where it reads one, the second text."""
    items: dict[Reader, list[tuple[str, str | None]]] = {reader: [] for reader in readers}
    errors: dict[int, str] = {}
    problems = Problems(len(inputs.rows))
    for index, (row, pair) in enumerate(zip(inputs.rows, pairs, strict=True)):
        found, wrong, unpaired = _read_row(row, pair, readers)
        if wrong:
            problems.add(wrong, inputs.where(index), unpaired)
            errors[index] = wrong[0].removesuffix("; leave the row out.")
            continue
        for reader, item in zip(readers, found, strict=True):
            items[reader].append(item)
    return ReadRows(items, errors, problems)


def _read_row(row: Text, pair: Any, readers: Sequence[Reader]) -> tuple[list[tuple[str, str | None]], list[str], bool]:
    """Return what each reader reads; what is wrong; and whether a second text is what is missing."""
    if isinstance(row, BadRow):
        return [], [row.problem], False
    items, wrong, unpaired = [], [], False
    for reader in readers:
        # As training reads them.
        text, second = (as_text(cell) for cell in _cells(row, pair, reader))
        if reader.clean:
            text, second = (clean_html(cell) if isinstance(cell, str) else cell for cell in (text, second))
        if problem := _problem(row, text, reader):
            wrong.append(problem)
        elif reader.pair is not None and (problem := _pair_problem(second, reader)):
            wrong.append(problem)
            unpaired = True
        else:
            items.append((text, second if reader.pair is not None else None))
    return items, list(dict.fromkeys(wrong)), unpaired


def check_columns(columns: Collection[str] | None, where: str, pair: str | None, readers: Sequence[Reader]) -> None:
    """Make sure that a table has the columns that the tasks read, before its rows are read.

    Args:
        columns: its columns; None for texts, which have none.
        where: names the table.
        pair: the second text for all rows, if there is one.
        readers: what the tasks read.

    Raises:
        DataError: the column of texts is missing.
        UsageError: the column of second texts is missing, and no second text was given.
    """
    row: Any = "a"
    if columns is not None:
        # What is inside a column is known row by row only.
        wanted = [name for reader in readers for name in (reader.text, reader.pair) if name is not None]
        nested = [name for name in wanted if any(name.startswith(f"{column}.") for column in columns)]
        row = dict.fromkeys([*columns, *nested], "a")
    _, wrong, unpaired = _read_row(row, pair, readers)
    if wrong:
        problems = Problems(1)
        problems.add(wrong, where, unpaired)
        raise problems.as_error()


def _cells(row: Any, pair: Any, reader: Reader) -> tuple[Any, Any]:
    if not isinstance(row, Mapping):
        return row, pair
    if pair is None and reader.pair is not None:
        pair = find_cell(row, reader.pair)
    return find_cell(row, reader.text), None if pair is MISSING else pair


def _problem(row: Any, text: Any, reader: Reader) -> str:
    if text is MISSING:
        there = [*row, *list_nested({column: [cell] for column, cell in row.items()})]
        hint = _hint(reader.text, tuple(map(str, there)))
        return f"no column '{reader.text}', which task '{reader.task}' reads. {hint}"
    if not isinstance(text, str) or not text.strip():
        found = "an empty text" if text is None or isinstance(text, str) else shorten(repr(text), 60)
        return f"found {found}, expected a text; leave the row out."
    return _unreadable(text)


@lru_cache
def _hint(column: str, columns: tuple[str, ...]) -> str:
    return did_you_mean(column, columns)


def _pair_problem(pair: Any, reader: Reader) -> str:
    if not isinstance(pair, str) or not pair.strip():
        found = "none" if pair is None else shorten(repr(pair), 60)
        return (
            f"task '{reader.task}' reads a second text (column '{reader.pair}'), found {found}; give `pair` (--pair), "
            "or rows that hold the column, or ask for other tasks only (--task)."
        )
    return _unreadable(pair)


def _unreadable(text: str) -> str:
    """What is wrong with a text that is one; "" if nothing is."""
    if len(text) > LONGEST_TEXT:
        return f"found a text of {len(text):,} characters, expected {LONGEST_TEXT:,} at most; cut it."
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = text[error.start]
        if 0xDC80 <= ord(half) <= 0xDCFF:  # how Python keeps a byte of the command line that it cannot read
            return f"found a byte that is not UTF-8 (0x{ord(half) - 0xDC00:02x}); give the text in UTF-8."
        return f"found half of a surrogate pair ({half}), expected whole characters; correct the text."
    return ""
