"""Columns inside columns: `a.b` is the key b of what column a holds."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

MISSING = object()
"""What `find_cell` returns where a row has no such column."""
_LEVELS = 20
_LISTED = 200


def find_cell(row: Mapping[str, Any], column: str) -> Any:
    """Return the cell of a column of a row, `MISSING` where it has none.

    A column that is literally called `a.b` comes first. Of a list, a number names an item, from 0; a key is read from
    each item, and the cell is the list of what was found.

    Args:
        row: cells by column.
        column: its name, with dots between levels.

    Example:
        >>> from equipoise.data.nested import find_cell
        >>> find_cell({"comment": {"body": "Good."}, "labels": [{"name": "joy"}, {"name": "trust"}]}, "labels.name")
        ['joy', 'trust']
    """
    if column in row:
        return row[column]
    name, *keys = column.split(".")
    while keys:
        if name in row:
            return _walk(row[name], keys)
        key, *keys = keys
        name += f".{key}"
    return MISSING


def read_nested(columns: Mapping[str, Sequence[Any]], column: str) -> list[Any] | None:
    """Return the cells of a column inside another; None where it is in no row. A row without it has None.

    Args:
        columns: the cells of each column.
        column: the name of the nested one.
    """
    found = list(_find_cells(columns, column))
    if all(cell is MISSING for cell in found):
        return None
    return [None if cell is MISSING else cell for cell in found]


def has_nested(columns: Mapping[str, Sequence[Any]], column: str) -> bool:
    """Whether a column inside another is in any row; see `read_nested`."""
    return any(cell is not MISSING for cell in _find_cells(columns, column))


def _find_cells(columns: Mapping[str, Sequence[Any]], column: str) -> Iterator[Any]:
    roots = [name for name in columns if column.startswith(f"{name}.")]
    for own in zip(*(columns[name] for name in roots), strict=True):
        yield find_cell(dict(zip(roots, own, strict=True)), column)


def list_nested(columns: Mapping[str, Sequence[Any]], rows: int = 100) -> list[str]:
    """Return the names of columns inside others, as the first rows have them.

    Args:
        columns: the cells of each column.
        rows: how many rows are looked at.
    """
    found: dict[str, None] = {}
    for name, cells in columns.items():
        for cell in cells[:rows]:
            found.update(dict.fromkeys(_list_keys(cell, name)))
            if len(found) > _LISTED:
                return list(found)[:_LISTED]
    return list(found)


def choose_nested(column: str, nested: Collection[str]) -> list[str]:
    """Return the nested columns that may be meant by a name: those whose last part is the name."""
    wanted = column.rpartition(".")[2].casefold()
    return [name for name in nested if name.rpartition(".")[2].casefold() == wanted]


def _walk(cell: Any, keys: Sequence[str]) -> Any:
    for place, key in enumerate(keys):
        if isinstance(cell, Mapping):
            rest = ".".join(keys[place:])
            if rest in cell:
                return cell[rest]
            if key not in cell:
                return MISSING
            cell = cell[key]
        elif isinstance(cell, list | tuple):
            if key.isdecimal() and key.isascii():
                if len(key) > 9 or int(key) >= len(cell):
                    return MISSING
                cell = cell[int(key)]
            else:
                items = [_walk(item, keys[place:]) for item in cell]
                return [item for item in items if item is not MISSING]
        else:
            return MISSING
    return cell


def _list_keys(cell: Any, name: str, level: int = 0) -> Iterator[str]:
    items: Iterable[Any] = cell if isinstance(cell, list | tuple) else (cell,)
    for item in items:
        if isinstance(item, Mapping) and level < _LEVELS:
            for key, inner in item.items():
                path = f"{name}.{key}"
                deeper = list(_list_keys(inner, path, level + 1))
                yield from deeper or [path]
