"""From files, or tables in memory, to a proposal."""

import os
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from equipoise.checks import checked_path
from equipoise.errors import DataError, EquipoiseError, UsageError, list_some

from .asking import Ask, Question, Questions
from .choosing import take
from .drafts import Draft, make_draft, make_source
from .file_facts import FileFacts
from .files import ENDINGS, read_file
from .frames import holds_tables, read_tables
from .grouping import Names, group_files
from .proposal import Proposal
from .settings import choose_settings
from .verifying import VERIFIED_BYTES, find_fault, find_faulty_tasks

_DOUBTFUL = 0.65
"""The fit of a task below which the user is asked for it."""
_MOST_FILES = 1000
_RUN_FILES = (".yaml", ".yml")


def propose(
    data: Any, *, folder: str | Path | None = None, output: str | Path | None = None, ask: Ask | None = None
) -> Proposal:
    """Propose a run file: what the files hold, and which tasks can be learned from them.

    Nothing is trained or written, and no network is used.

    Args:
        data: a file or folder, several of them, or tables in memory: a DataFrame of pandas or Polars, an Arrow table,
            a data set or a list of dicts, or a dict of these by source. For a table in memory, the run file names a
            Parquet file in `folder`, where it is to be saved; or see `Proposal.for_tables`.
        folder: the folder in which the run file is to stand, and from which its paths start; by default the working
            folder.
        output: the run's folder; `runs/NAME` by default, with the name of the first source.
        ask: asks the user what is doubtful, three times at most; None asks nobody.

    Returns:
        The proposal; `text` is the run file.

    Raises:
        DataError: no file can be used; the message says why for each.
        UsageError: there is no file.

    Examples:
        >>> import pandas
        >>> from equipoise import propose
        >>> frame = pandas.DataFrame({"review": ["Good film.", "A bad one!"] * 20, "stars": [5, 1] * 20})
        >>> [(task.name, task.kind) for task in propose({"reviews": frame}).tasks]
        [('stars', 'classification')]
    """
    base = Path(os.path.abspath(folder if folder is not None else "."))
    notes: list[str] = []
    files = _read_all(data, base, notes)
    questions = Questions(ask)
    names = Names()
    drafts = []
    for one in group_files(files, notes):
        if (draft := make_draft(one, names, questions, notes)) is not None:
            drafts.append(draft)
    if not drafts:
        raise DataError(*notes[:5], "No file can be used: expected texts with labels beside them, as columns.")
    _ask_for_tasks(drafts, questions)
    _ask_for_group(drafts, questions)
    drafts = [draft for draft in drafts if draft.choice.tasks]
    if not drafts:
        raise DataError("No task is left; choose one or more.")
    place = str(output) if output is not None else f"runs/{drafts[0].files.name}"
    if any(file.is_given for file in files) or sum(file.path.stat().st_size for file in files) > VERIFIED_BYTES:
        return _build(drafts, base, place, notes)
    return _verify(drafts, base, place, notes)


def _build(drafts: Sequence[Draft], base: Path, output: str, notes: Sequence[str], fault: str = "") -> Proposal:
    tables = [(draft.facts, draft.roles.text, draft.roles.pair) for draft in drafts]
    return Proposal(
        sources=[make_source(draft, base) for draft in drafts],
        tasks=[task for draft in drafts for task in draft.choice.tasks],
        doubtful=[one for draft in drafts for one in draft.choice.doubtful],
        settings=choose_settings(tables, output),
        notes=list(notes),
        fault=fault,
        folder=base,
    )


def _verify(drafts: list[Draft], base: Path, output: str, notes: list[str]) -> Proposal:
    """Return the proposal, without what a run could not read: groups that leave a split empty, tasks with faults.

    Where all tasks of a source have faults, they stay, and the fault is told.
    """
    proposal = _build(drafts, base, output, notes)
    fault = find_fault(proposal)
    if fault and (grouped := [draft for draft in drafts if draft.roles.group]):
        before = [draft.roles.group for draft in grouped]
        for draft in grouped:
            draft.roles.group = ""
        if still := find_fault(_build(drafts, base, output, notes)):
            fault = still
            for draft, group in zip(grouped, before, strict=True):
                draft.roles.group = group
        else:
            fault = ""
            for draft, group in zip(grouped, before, strict=True):
                draft.roles.maybe_groups[group] = "split by it, a split would be empty"
        proposal = _build(drafts, base, output, notes)
    if not fault:
        return proposal
    faulty = find_faulty_tasks(proposal)
    if len(faulty) == len(proposal.tasks) or not faulty:
        return _build(drafts, base, output, notes, fault)
    faults: list[str] = []
    sound: list[Draft] = []
    for draft in drafts:
        names = [task.name for task in draft.choice.tasks if task.name not in faulty]
        if names:
            draft.choice = take(draft.choice, names, faulty)
            sound.append(draft)
        else:  # its tasks stay, as those of a single file do
            faults.append(_verify([draft], base, output, notes).fault)
    faults.append(_verify(sound, base, output, notes).fault)
    return _build(drafts, base, output, notes, "\n".join(filter(None, faults)))


def _read_all(data: Any, base: Path, notes: list[str]) -> list[FileFacts]:
    """Read what was given; what cannot be used is noted, each with one message.

    Raises:
        DataError: nothing can be used.
        UsageError: nothing was given.
    """
    if holds_tables(data):
        return read_tables(data, base)
    several = isinstance(data, Sequence | AbstractSet | Iterator) and not isinstance(data, str | bytes)
    paths = _list_paths(data if several else [data], notes)  # a column of a table is no list of paths
    files = []
    for path in paths:
        try:
            files.append(file := read_file(path))
            notes += file.notes
        except EquipoiseError as error:
            notes.append(str(error))
        except OSError as error:
            notes.append(f"{path}: cannot be read ({error.strerror or error}).")
    if not files:
        raise DataError(*notes[:5], left_out=max(0, len(notes) - 5))
    return files


def _list_folder(folder: Path, notes: list[str]) -> list[Path]:
    """Return the data files in a folder; a note says which others are left out."""
    files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    others = [file.name for file in files if file.suffix.lower() not in ENDINGS + _RUN_FILES]
    if others:
        notes.append(
            f"{folder}: left out {list_some(others, 5)}, expected files that end in {', '.join(ENDINGS)}; "
            "convert or rename what holds data."
        )
    return [file for file in files if file.suffix.lower() in ENDINGS]


def _list_paths(given: Iterable[Any], notes: list[str]) -> list[Path]:
    """Return the files that are named, and those in the folders that are; each once."""
    found: dict[str, Path] = {}
    for one in given:
        path = checked_path("propose()", one, "give a file, a folder, several of them, or a table (see `propose`)")
        if path.is_dir():
            inside = _list_folder(path, notes)
            if not inside:
                raise UsageError(f"{path}: found no data file in this folder, expected one of {', '.join(ENDINGS)}.")
        else:
            inside = [path]
        for file in inside:
            found.setdefault(os.path.realpath(file), file)
    if not found:
        raise UsageError(f"Found no file, expected one or more of {', '.join(ENDINGS)}.")
    if len(found) > _MOST_FILES:
        raise UsageError(f"Found {len(found):,} files, expected {_MOST_FILES:,} at most; join them first.")
    return list(found.values())


def _ask_for_tasks(drafts: Sequence[Draft], questions: Questions) -> None:
    """Ask which tasks are wanted, if that is doubtful."""
    listed = [(draft, task.name, task.why, task.fit) for draft in drafts for task in draft.choice.tasks]
    proposed = len(listed)
    listed += [
        (draft, one.name, one.why, 0.0) for draft in drafts for one in draft.choice.doubtful if "needs" not in one.why
    ]
    if not any(fit < _DOUBTFUL for *_, fit in listed):
        return
    options = [f"{name}   {why}" for _, name, why, _ in listed]
    default = tuple(range(proposed))
    answer = questions.ask(Question("Which tasks are to be learned?", options, default, several=True))
    if tuple(answer) == default:
        return
    for draft in drafts:
        draft.choice = take(draft.choice, [listed[place][1] for place in answer if listed[place][0] is draft])


def _ask_for_group(drafts: Sequence[Draft], questions: Questions) -> None:
    """Ask for the column to split by, where one may be it."""
    for draft in drafts:
        roles = draft.roles
        if roles.group or not roles.maybe_groups or len(draft.files.files) == 3:
            continue
        options = ["none: each row by itself", *(f"{name}   {why}" for name, why in roles.maybe_groups.items())]
        question = Question(f"{draft.files.name}: keep the rows of one author or document together?", options)
        (place, *_) = questions.ask(question)
        if place:
            roles.group = list(roles.maybe_groups)[place - 1]
            del roles.maybe_groups[roles.group]
        return
