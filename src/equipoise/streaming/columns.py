"""The columns of answers in a table."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from equipoise.data import BadRow, Meter, RowStream
from equipoise.errors import DataError, list_some
from equipoise.files import to_json
from equipoise.json_values import as_json_value
from equipoise.predicting import TAKEN

ERROR = "error"
"""The last column, empty where a row is answered."""
_LONG = 2**63


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        name: its name.
        path: where its cell stands: the column of the input, or the keys in an answer.
        kind: what it holds: "text", "number", "integer", "truth", "json" (anything, as text), or "arrow": what the
            column of a Parquet file holds.
    """

    name: str
    path: tuple[str, ...]
    kind: str = "text"


@dataclass(frozen=True)
class TableColumns:
    """The columns of a table of answers: those of the input in order, then those of the tasks, then `error`.

    Args:
        given: the columns of the input; one that has the name of an answer's column is called `given.NAME`.
        answers: the columns of the tasks: `TASK.KEY`, and `TASK.probabilities.CLASS`; lists and the like are JSON.
        tasks: the names of the tasks.
    """

    given: tuple[Column, ...]
    answers: tuple[Column, ...]
    tasks: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns."""
        return (*(column.name for column in self.columns), ERROR)

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns but the last."""
        return self.given + self.answers

    def cells(self, answer: Mapping[str, Any]) -> list[Any]:
        """Return the cells of an answer, None where there is none, as `Column.kind` says.

        Raises:
            DataError: the answer has something that no column has.
        """
        apart = answer.get("given", {})
        taken = {*self.tasks, *TAKEN}
        cells = [
            _as_kind((apart if column.path[0] in taken else answer).get(column.path[0]), column.kind)
            for column in self.given
        ]
        found = dict(_flatten(answer, self.tasks))
        if unknown := found.keys() - {column.path for column in self.answers}:
            raise DataError(
                f"answers: found {list_some(map('.'.join, sorted(unknown)))}, for which the table has no column; write "
                "to a .jsonl file."
            )
        cells += [_as_kind(found.get(column.path), column.kind) for column in self.answers]
        return [*cells, answer.get(ERROR)]


def find_answer_columns(sample: Mapping[str, Any], tasks: Sequence[str]) -> tuple[Column, ...]:
    """Return the columns of the tasks.

    Args:
        sample: any answer: those of a task all have the same keys.
        tasks: the names of the tasks.
    """
    found = _flatten(sample, tasks)
    return tuple(Column(".".join(path), path, _kind_of([value], found_numbers="number")) for path, value in found)


def infer_columns(stream: RowStream, pair: str | None, answers: Iterable[Column]) -> tuple[Column, ...]:
    """Return the columns of an input as a table has them; where each row has keys of its own, all rows are read.

    Args:
        stream: the input.
        pair: the second text for all rows, which is repeated where the rows are texts.
        answers: the columns of the tasks.
    """
    if stream.is_text:
        kinds = {"text": "text", **({} if pair is None else {"pair": "text"})}
    elif stream.schema is not None:
        kinds = dict.fromkeys(stream.columns or (), "arrow")
    elif stream.has_text_cells:
        kinds = dict.fromkeys(stream.columns or (), "text")
    else:
        kinds = _infer_kinds(stream)
    return _name_columns(kinds, answers)


def infer_schema_columns(names: Iterable[str], answers: Iterable[Column]) -> tuple[Column, ...]:
    """Return the columns of an Arrow table, which keep their types.

    Args:
        names: their names.
        answers: the columns of the tasks.
    """
    return _name_columns(dict.fromkeys(names, "arrow"), answers)


def _name_columns(kinds: Mapping[str, str], answers: Iterable[Column]) -> tuple[Column, ...]:
    taken = {*(column.name for column in answers), ERROR}
    columns = []
    for name, kind in kinds.items():
        shown = name
        while shown in taken or (shown != name and shown in kinds):
            shown = f"given.{shown}"
        taken.add(shown)
        columns.append(Column(shown, (name,), kind))
    return tuple(columns)


def _infer_kinds(stream: RowStream) -> dict[str, str]:
    """Return what each key holds in all rows."""
    kinds: dict[str, str] = {}
    for _, row in stream.read(Meter()):
        cells = row.cells if isinstance(row, BadRow) else row
        for name, cell in cells.items() if isinstance(cells, Mapping) else ():
            kind = _kind_of([cell])
            known = kinds.setdefault(name, kind)
            if kind != known and kind:
                kinds[name] = _join_kinds({kind, known} - {""})
    return {name: kind or "text" for name, kind in kinds.items()}


def _join_kinds(kinds: set[str]) -> str:
    """Return the kind of a column whose cells are of several kinds; numbers among texts are texts, as tasks read them.

    Args:
        kinds: one kind or two.
    """
    if len(kinds) == 1:
        return next(iter(kinds))
    if kinds <= {"number", "integer"}:
        return "number"
    return "text" if kinds <= {"number", "integer", "text"} else "json"


def _kind_of(cells: Collection[Any], found_numbers: str = "") -> str:
    """Return the kind of a column; "" where there is nothing in it."""
    cell = next(iter(cells))
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "truth"
    if isinstance(cell, int) and not found_numbers:
        return "integer" if -_LONG <= cell < _LONG else "json"
    if isinstance(cell, int | float):
        return "number"
    return "text" if isinstance(cell, str) else "json"


def _as_kind(cell: Any, kind: str) -> Any:
    if cell is None or kind == "arrow":
        return cell
    if kind == "json":
        return to_json(as_json_value(cell))
    if kind == "number":
        return float(cell)
    return cell if kind != "text" or isinstance(cell, str) else to_json(as_json_value(cell))


def _flatten(answer: Mapping[str, Any], tasks: Iterable[str]) -> list[tuple[tuple[str, ...], Any]]:
    """Return what the tasks answer, by the keys under which it stands."""
    found: list[tuple[tuple[str, ...], Any]] = []
    for task in tasks:
        own = answer.get(task)
        if not isinstance(own, Mapping):
            if task in answer:
                found.append(((task,), own))
            continue
        for key, value in own.items():
            if isinstance(value, Mapping) and key == "probabilities":
                found += [((task, key, str(name)), part) for name, part in value.items()]
            else:
                found.append(((task, key), value))
            if key == "label" and isinstance(own.get("probabilities"), Mapping):
                # That of the label, which a table has not to look for.
                found.append(((task, "probability"), own["probabilities"].get(value)))
    return found
