"""What estimators are given: texts, and which rows are held out."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from equipoise.errors import shorten
from equipoise.keys import is_blank, text_key

_LEAST = 2
"""Rows with a label that dev and test hold at least, of each output."""


class Texts(NamedTuple):
    """The texts of X, and their second texts where X has two columns.

    Args:
        texts: one for each row.
        pairs: as many second texts, or None.
        columns: how many columns X has; None where it is a list of texts.
        names: the names of the columns, where X is a DataFrame.
    """

    texts: list[str]
    pairs: list[str] | None
    columns: int | None
    names: list[str] | None = None


def read_texts(X: Any) -> Texts:
    """Read X: texts, shape (n,), or rows of one text or of two (a text and what it is about), shape (n, 1) or (n, 2).

    Raises:
        ValueError: it has another shape, no rows, or a cell that is no text; the message names the row, from 0.
    """
    if isinstance(X, str):
        raise ValueError("X: found one text, expected a list of texts; Reshape your data: put it into a list.")
    if (table := read_table(X)) is not None:
        return _check_columns(table[1], table[0])
    rows = X.tolist() if hasattr(X, "tolist") else X
    if not isinstance(rows, list | tuple):
        rows = list(rows) if hasattr(rows, "__iter__") and not hasattr(X, "toarray") else None
    if rows is None:
        raise ValueError(f"X: found {type(X).__name__}, expected texts; Reshape your data: a list of texts.")
    if rows and all(isinstance(row, list | tuple) for row in rows):
        if len({len(row) for row in rows}) > 1:
            raise ValueError("X: found rows of different lengths, expected one text or two in each.")
        return _check_columns([list(column) for column in zip(*rows, strict=True)], None)
    texts = _check_cells(list(rows), "X")
    return Texts(texts, None, None)


def read_table(table: Any) -> tuple[list[str], list[list[Any]]] | None:
    """Return names and columns of a DataFrame of pandas or Polars; None of anything else."""
    if hasattr(table, "iloc") and hasattr(table, "columns"):
        names = [str(name) for name in table.columns]
        return names, [table.iloc[:, place].tolist() for place in range(len(names))]
    if hasattr(table, "get_columns"):
        return list(table.columns), [column.to_list() for column in table.get_columns()]
    return None


def _check_columns(columns: Sequence[list[Any]], names: list[str] | None) -> Texts:
    if len(columns) not in (1, 2):
        raise ValueError(
            f"X: found {len(columns)} columns, expected 1 (texts) or 2 (texts, and what each is about); choose them, "
            "such as by a ColumnTransformer."
        )
    read = [_check_cells(column, f"X, column {place}") for place, column in enumerate(columns)]
    return Texts(read[0], read[1] if len(read) > 1 else None, len(read), names)


def _check_cells(cells: Sequence[Any], where: str) -> list[str]:
    if not cells:
        raise ValueError(f"{where}: found 0 sample(s), while a minimum of 1 is required.")
    for row, cell in enumerate(cells):
        if not isinstance(cell, str) or is_blank(cell):
            raise ValueError(f"{where}, row {row}: found {shorten(repr(cell), 60)}, expected a text.")
    return [str(cell) for cell in cells]


def hold_out(
    texts: Sequence[str], labels: Mapping[str, Sequence[Hashable | None]], share: float, seed: int
) -> dict[str, npt.NDArray[np.int64]]:
    """Choose the rows of dev and test at random: half of the share each, at least two rows of each output (our design).

    Rows with the same text stay together. What is left in train keeps every class.

    Args:
        texts: the texts.
        labels: by output the class of each row, None where it has no label; for scores one "class" for all.
        share: the share of rows that is held out, above 0 and below 1.
        seed: seed of the draw.

    Returns:
        The indices of "train", "dev" and "test", in order.

    Raises:
        ValueError: there are too few rows.
    """
    if not 0 < share < 1:
        raise ValueError(f"held_out: found {share!r}, expected a share above 0 and below 1.")
    by_text: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        by_text.setdefault(text_key(text), []).append(row)
    groups = list(by_text.values())
    left = {name: Counter(cell for cell in cells if cell is not None) for name, cells in labels.items()}
    held: dict[str, set[int]] = {"dev": set(), "test": set()}
    order = [groups[place] for place in np.random.default_rng(seed).permutation(len(groups))]
    for name, cells in labels.items():
        wanted = max(_LEAST, round(share / 2 * left[name].total()))
        for split, rows in held.items():
            _fill(rows, order, labels, left, name, wanted)
            if sum(cells[row] is not None for row in rows) < min(_LEAST, wanted):
                raise ValueError(
                    f"n_samples={len(texts)}: found too few rows to hold some out for {split}"
                    f"{f' (output {name!r})' if len(labels) > 1 else ''}, expected {_LEAST} different texts with a "
                    "label beside those of train, which keeps every class; give more rows."
                )
    taken = held["dev"] | held["test"]
    train = [row for row in range(len(texts)) if row not in taken]
    return {split: np.array(sorted(rows), dtype=np.int64) for split, rows in {"train": train, **held}.items()}


def _fill(
    rows: set[int],
    order: list[list[int]],
    labels: Mapping[str, Sequence[Hashable | None]],
    left: Mapping[str, Counter[Hashable]],
    name: str,
    wanted: int,
) -> None:
    """Move groups of rows out of `order` into `rows` until these have the wanted number of an output's labels."""
    count = sum(labels[name][row] is not None for row in rows)
    for group in list(order):
        if count >= wanted:
            return
        found = sum(labels[name][row] is not None for row in group)
        taken = {
            output: Counter(cells[row] for row in group if cells[row] is not None) for output, cells in labels.items()
        }
        spared = all(left[output][cell] > number for output, cells in taken.items() for cell, number in cells.items())
        if found and spared:
            order.remove(group)
            rows.update(group)
            count += found
            for output, cells in taken.items():
                left[output].subtract(cells)
