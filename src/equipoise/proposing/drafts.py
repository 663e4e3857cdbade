"""Sources while they are being proposed."""

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.errors import list_some, shorten
from equipoise.kinds import LabelColumn

from .asking import Question, Questions
from .choosing import Choice, choose_tasks
from .facts import TableFacts, join
from .grouping import FileSet, Names
from .proposal import Alternative, ProposedSource
from .reading_keys import CellKeys, find_cell_keys, view_label
from .roles import Roles, find_roles
from .settings import choose_split

_LEAST_ROWS = 4
"""Rows from which on a column can be one of classes."""
_WITH_UNIT = re.compile(r"[+-]?\d[\d.,]*\s?[^\w\s.,]+")


@dataclass
class Draft:
    """A source while it is being proposed.

    Attributes:
        files: its files.
        facts: what is known of their rows.
        complete: whether all rows were read.
        roles: what its columns are for.
        cells: how its cells are to be read.
        choice: its tasks.
    """

    files: FileSet
    facts: TableFacts
    complete: bool
    roles: Roles
    cells: CellKeys
    choice: Choice


def make_draft(one: FileSet, names: Names, questions: Questions, notes: list[str]) -> Draft | None:
    """Find out what a source is for.

    Args:
        one: its files.
        names: makes the names of tasks.
        questions: asks the user which column is the text, where that is doubtful.
        notes: why a source is left out, and what is doubtful, is added here.

    Returns:
        The source; None where it holds no texts or no labels.
    """
    facts = join([file.facts for file in one.all_files])
    complete = all(file.complete for file in one.all_files)
    roles = find_roles(facts)
    if roles.text and not roles.text_is_sure:
        options = [roles.text, *roles.other_texts][:6]
        answer = questions.ask(Question(f"{one.name}: which column is the text?", _with_examples(options, facts)))
        roles = find_roles(facts, options[answer[0]])
    columns = list_some(facts.columns, 6)
    if not roles.text:
        notes.append(f"{one.name}: found the columns {columns}, none of which looks like a text; it is left out.")
        return None
    cells = find_cell_keys(facts, roles)
    candidates = _candidates(facts, roles, cells, complete)
    choice = choose_tasks(one.name, roles, candidates, names)
    if choice.reads_places and "clean" in cells.keys:
        # It would move the places of terms.
        cells.perhaps["clean"] = (cells.keys.pop("clean"), f"{cells.why['clean']}; it would move the places of terms")
    if not choice.tasks and choice.doubtful and questions.is_asking:
        return Draft(one, facts, complete, roles, cells, choice)
    if not choice.tasks:
        why = f" ({choice.doubtful[0].why})" if choice.doubtful else ""
        reason = (
            _explain_no_labels(facts, roles) or f"found the columns {columns}, none of which looks like labels{why}"
        )
        notes.append(f"{one.name}: {reason}; it is left out.")
        return None
    _note_others(one, facts, roles, notes)
    return Draft(one, facts, complete, roles, cells, choice)


def _candidates(facts: TableFacts, roles: Roles, cells: CellKeys, complete: bool) -> list[LabelColumn]:
    return [
        view_label(column, facts, cells.keys, roles.text, complete)
        for name, column in facts.columns.items()
        if name not in roles.taken and column.filled and not roles.is_code(column)
    ]


def _explain_no_labels(facts: TableFacts, roles: Roles) -> str:
    """Say what keeps columns from being labels: few rows, one value, numbers with a unit; "" where it is none of it."""
    if facts.rows < _LEAST_ROWS:
        return f"found {facts.rows} row{'s' * (facts.rows != 1)}, expected {_LEAST_ROWS} or more: two of each class"
    texts = {roles.text, roles.pair}
    same = [name for name, column in facts.columns.items() if name not in texts and column.different == 1]
    if not same:
        return _explain_unit(facts, texts)
    value = next(iter(facts.columns[same[0]].counts or {}))
    column, value = shorten(same[0], 60), shorten(value, 40)
    hint = "; where an empty cell means no, write 0 in it" if facts.columns[same[0]].filled < facts.rows else ""
    return f"the column {column!a} holds one value only, {value!a}, expected two classes or more{hint}"


def _explain_unit(facts: TableFacts, texts: Collection[str]) -> str:
    for name in facts.columns.keys() - texts:
        cells = [cell for cell in facts.cells(name) if cell is not None]
        if cells and all(isinstance(cell, str) and _WITH_UNIT.fullmatch(cell.strip()) for cell in cells):
            column, cell = shorten(name, 60), shorten(cells[0], 40)
            return f"the column {column!a} holds numbers with a sign behind, such as {cell!a}; to learn them, remove it"
    return ""


def _note_others(one: FileSet, facts: TableFacts, roles: Roles, notes: list[str]) -> None:
    if roles.split:
        notes.append(
            f"{one.name}: the column {roles.split!a} names splits, which are not read from a column: for these splits "
            "write a file for each."
        )
    if facts.left_out:
        notes.append(f"{one.name}: only the first {len(facts.columns)} columns were looked at.")


def _with_examples(columns: Sequence[str], facts: TableFacts) -> list[str]:
    return [
        f"{name}   such as {next((str(cell)[:60] for cell in facts.cells(name) if cell is not None), '')!a}"
        for name in columns
    ]


def make_source(draft: Draft, base: Path) -> ProposedSource:
    """Return a source with its keys, and why each is there."""
    files, roles, cells = draft.files, draft.roles, draft.cells
    keys: dict[str, Any] = {}
    why: dict[str, str] = {}
    for key, found in files.files.items():
        paths = [_path(file.path, base) for file in found]
        keys[key] = paths[0] if len(paths) == 1 else paths
        about = "" if all(file.complete for file in found) else "about "
        why[key] = f"{about}{sum(file.facts.rows for file in found):,} rows"
        if any(file.is_given for file in found):
            why[key] += f"; to be saved there: {found[0].name}.to_parquet(…)"
    first = files.all_files[0]
    keys |= first.keys
    why |= first.why
    keys |= cells.keys
    why |= cells.why
    if roles.group:
        keys["group"], why["group"] = roles.group, "its rows stay on one side of a split"
    if roles.spread:
        keys["disagreement"], why["disagreement"] = roles.spread, "of the annotators; a part of difficulty"
    if len(files.files) < 3 and (shares := choose_split(draft.facts.rows)):
        keys["split"], why["split"] = shares, "few rows: larger dev and test"
    others = [Alternative({key: value}, reason) for key, (value, reason) in cells.perhaps.items()]
    others += [Alternative({"group": name}, reason) for name, reason in roles.maybe_groups.items()]
    for column, spelled in draft.choice.maps.items():
        counted = ", ".join(f"{name}: {count} rows" for name, (_, count) in list(spelled.items())[:4])
        mapped = {name: best for name, (best, _) in spelled.items()}
        others.append(Alternative({"map": {column: mapped}}, f"spellings of one class? {counted}"))
    if roles.subsets:
        others.append(Alternative({"subsets": roles.subsets}, "scores of each of their values, too"))
    return ProposedSource(
        files.name, keys, why, draft.facts.rows, first.encoding, others, [file.path.name for file in files.all_files]
    )


def _path(path: Path, base: Path) -> str:
    """Return a path as the run file has it: from its folder, with slashes."""
    try:
        relative = os.path.relpath(path, base)
    except ValueError:  # another drive
        relative = os.path.abspath(path)
    # A name that begins with ~ would be somebody's home.
    return f"./{relative}" if relative.startswith("~") else relative
