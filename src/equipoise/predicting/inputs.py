"""What `Predictor.predict` is given: texts or rows, where each stands, and what is wrong with them."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from equipoise.data import Rows
from equipoise.errors import DataError, EquipoiseError, UsageError, did_you_mean, shorten
from equipoise.kinds import as_text

Text = str | Mapping[str, Any]
LONGEST_TEXT = 1_000_000
"""Characters of a text, at most."""
_PLACES = 8
"""Places of one kind of problem that a message names."""


@dataclass(frozen=True)
class Inputs:
    """Texts or rows, and where each stands.

    Args:
        rows: texts, or rows that hold the columns the tasks read.
        where: names the place of a row, by its index; by default "row 1" and so on.
    """

    rows: Sequence[Text]
    where: Callable[[int], str] = lambda index: f"row {index + 1}"


@dataclass(frozen=True)
class Reader:
    """What a task reads: the task, its column of texts, and its column of second texts."""

    task: str
    text: str
    pair: str | None


def gather_inputs(texts: Any) -> Inputs:
    """Return what was given as texts or rows.

    Raises:
        UsageError: it is neither, such as a number or bytes.
    """
    if isinstance(texts, Inputs):
        return texts
    if isinstance(texts, Rows):
        records = [dict(zip(texts.columns, cells, strict=True)) for cells in zip(*texts.columns.values(), strict=True)]
        return Inputs(records, texts.where)
    if isinstance(texts, str | Mapping):
        return Inputs([texts])
    if hasattr(texts, "to_dict") and hasattr(texts, "columns"):
        return Inputs(texts.to_dict("records"))
    if isinstance(texts, bytes | bytearray) or not isinstance(texts, Iterable):
        raise UsageError(f"texts: found {texts!r}, expected a text, several texts, or rows.")
    return Inputs(list(texts))


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
    if isinstance(row, Mapping):
        taken = {*tasks, "given"}
        kept = {column: value for column, value in row.items() if column not in taken}
        given = {column: value for column, value in row.items() if column in taken}
        return {**kept, "given": given} if given else kept
    return {"text": row} if pair is None else {"text": row, "pair": pair}


def read_inputs(
    inputs: Inputs, pairs: Sequence[Any], readers: Sequence[Reader]
) -> dict[Reader, list[tuple[str, str | None]]]:
    """Return what each reader reads of every row: the text and, where it reads one, the second text.

    Raises:
        DataError: rows cannot be read; all of them are counted, the first named.
        UsageError: the second text is missing of all rows.
    """
    problems: dict[str, dict[int, None]] = {}
    found: dict[Reader, list[tuple[str, str | None]]] = {}
    no_pair = dict.fromkeys(readers, 0)
    for reader in readers:
        read = found[reader] = []
        for index, (row, pair) in enumerate(zip(inputs.rows, pairs, strict=True)):
            # As training reads them.
            text, second = (as_text(cell) for cell in _cells(row, pair, reader))
            if problem := _problem(row, text, reader):
                problems.setdefault(problem, {})[index] = None
            elif reader.pair is not None and (problem := _pair_problem(second, reader)):
                no_pair[reader] += 1
                problems.setdefault(problem, {})[index] = None
            else:
                read.append((text, second if reader.pair is not None else None))
    if problems:
        raise _explain(problems, inputs, UsageError if len(inputs.rows) in no_pair.values() else DataError)
    return found


def _cells(row: Any, pair: Any, reader: Reader) -> tuple[Any, Any]:
    if not isinstance(row, Mapping):
        return row, pair
    return row.get(reader.text), row.get(reader.pair) if pair is None and reader.pair is not None else pair


def _problem(row: Any, text: Any, reader: Reader) -> str:
    if isinstance(row, Mapping) and reader.text not in row:
        return (
            f"no column '{reader.text}', which task '{reader.task}' reads. {_hint(reader.text, tuple(map(str, row)))}"
        )
    if not isinstance(text, str) or not text.strip():
        found = "an empty text" if text is None or isinstance(text, str) else shorten(repr(text), 60)
        return f"found {found}, expected a text; leave the row out."
    return _unreadable(text)


@lru_cache
def _hint(column: str, columns: tuple[str, ...]) -> str:
    return did_you_mean(column, columns)


def _pair_problem(pair: Any, reader: Reader) -> str:
    if not isinstance(pair, str) or not pair.strip():
        found = shorten(repr(pair), 60)
        return (
            f"task '{reader.task}' reads a second text (column '{reader.pair}'), found {found}; give `pair` (--pair), "
            "or rows that hold the column, or leave the task out."
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


def _explain(problems: Mapping[str, Collection[int]], inputs: Inputs, kind: type[EquipoiseError]) -> EquipoiseError:
    messages = []
    for problem, found in problems.items():
        indices = list(found)
        first = inputs.where(indices[0])
        file, comma, _ = first.rpartition(", ")
        if 1 < len(indices) == len(inputs.rows):
            messages.append(f"{file}{comma}all {len(indices):,} rows: {problem}")
            continue
        # "data.csv, line 5, line 7": the file is named once.
        places = [first, *(inputs.where(index).removeprefix(file + comma) for index in indices[1:_PLACES])]
        more = f" and {len(indices) - _PLACES:,} more" if len(indices) > _PLACES else ""
        if len(indices) > 1:
            problem = problem.replace("leave the row out", "leave these rows out")
        messages.append(f"{', '.join(places)}{more}: {problem}")
    bad = len({index for indices in problems.values() for index in indices})
    if len(messages) > 1:
        messages.append(f"{bad:,} of {len(inputs.rows):,} rows cannot be answered; correct them, or leave them out.")
    return kind(*messages)
