"""Which tasks the columns of a source are proposed for: every kind says what it sees, and the surest one is taken."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from equipoise.keys import loose_key, name_key
from equipoise.kinds import LabelColumn, Suggestion, list_kinds, words_of

from .grouping import Names
from .proposal import Alternative, ProposedTask
from .roles import Roles

_GENERAL = {"label", "class", "target", "y", "gold", "annotation", "value", "score", "output", "category", "answer"}
"""Words that say of a column that it holds labels, and not what they are about."""
_LEAST_ALTERNATIVE = 0.2
_MOST_ALTERNATIVES = 2
_MOST_LISTED = 12
_SHORT = re.compile(r"[^\W\d_]{1,4}")


@dataclass(frozen=True)
class Choice:
    """The tasks of one source.

    Args:
        tasks: what is proposed.
        doubtful: what stands as a comment.
        maps: by column the spellings that seem to mean another class, with the class and how many rows have them.
        reads_places: whether labels of a task count the characters of the text.
    """

    tasks: Sequence[ProposedTask]
    doubtful: Sequence[Alternative]
    maps: Mapping[str, Mapping[str, tuple[str, int]]]
    reads_places: bool


@dataclass(frozen=True)
class _Found:
    kind: str
    suggestion: Suggestion


def choose_tasks(source: str, roles: Roles, columns: Sequence[LabelColumn], names: Names) -> Choice:
    """Choose the tasks of a source.

    Args:
        source: its name.
        roles: what its columns are for; it has a text.
        columns: the columns that may hold labels.
        names: makes the tasks' names.
    """
    found = [
        _Found(name, suggestion)
        for name, kind in list_kinds().items()
        for suggestion in kind.propose(columns)
        if suggestion.fit >= _LEAST_ALTERNATIVE
    ]
    found.sort(key=lambda one: -one.suggestion.fit)
    order = {column.name: place for place, column in enumerate(columns)}
    # What the names call facts about a row are labels only where there are no others.
    chosen = _take_surest(found, roles.meta) or _take_surest(found, set())
    chosen.sort(key=lambda one: order[one.suggestion.columns[0]])
    used = {column for one in chosen for column in one.suggestion.columns}
    maps = {column.name: spelled for column in columns if column.name in used and (spelled := find_spellings(column))}
    tasks = []
    for one in chosen:
        name = _name(one.suggestion, source, len(chosen), names)
        others = [other for other in found if other is not one and other.suggestion.columns == one.suggestion.columns]
        tasks.append(_build(name, one, source, roles, others, maps))
    rest: dict[tuple[str, ...], _Found] = {}
    for other in found:
        if _are_free(other.suggestion, used):
            rest.setdefault(other.suggestion.columns, other)
    doubtful = [_build_doubtful(other, source, roles, names) for other in rest.values()]
    return Choice(tasks, doubtful, maps, any(one.suggestion.reads_places for one in chosen))


def _take_surest(found: Sequence[_Found], meta: set[str]) -> list[_Found]:
    """Return the surest suggestion for each column, but for some columns; what a run cannot have is passed over."""
    used: set[str] = set()
    chosen = []
    for one in found:
        mine = one.suggestion
        if mine.fit >= 0.5 and not mine.needs and _are_free(mine, used) and meta.isdisjoint(mine.columns):
            chosen.append(one)
            used.update(mine.columns)
    return chosen


def _are_free(suggestion: Suggestion, used: set[str]) -> bool:
    """Whether no task reads a suggestion's columns, nor the column in which they are nested."""
    return not any(
        column == other or column.startswith(f"{other}.") or other.startswith(f"{column}.")
        for column in suggestion.columns
        for other in used
    )


def _name(suggestion: Suggestion, source: str, count: int, names: Names) -> str:
    """Name a task by its column; by the source where the column's name only says that it holds labels."""
    if len(suggestion.columns) > 1:
        prefix = {re.split(r"[._\W]", column)[0] for column in suggestion.columns}
        last = prefix.pop() if len(prefix) == 1 else "labels"
        return names.make(last, f"{source}_labels")
    last = suggestion.columns[0].rpartition(".")[2] or suggestion.columns[0]
    if count == 1 and words_of(last) <= _GENERAL | {word + "s" for word in _GENERAL}:
        return names.make(source, f"{source}_{last}")
    return names.make(last, f"{source}_{last}")


def _keys(one: _Found, source: str, roles: Roles) -> dict[str, Any]:
    """Return a task's keys in the order of the run file; those that have their default are left out, but for label."""
    keys: dict[str, Any] = {"source": source, "kind": one.kind}
    if roles.text != "text":
        keys["text"] = roles.text
    if roles.pair:
        keys["pair"] = roles.pair
    keys["label"] = one.suggestion.columns[0]
    return keys | dict(one.suggestion.keys)


def _without_many(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a task that stands as a comment, without long lists, which are found in train as well."""
    return {key: value for key, value in keys.items() if key != "classes" or len(value) <= _MOST_LISTED}


def _build(
    name: str,
    one: _Found,
    source: str,
    roles: Roles,
    others: Sequence[_Found],
    maps: Mapping[str, Mapping[str, tuple[str, int]]],
) -> ProposedTask:
    keys = _keys(one, source, roles)
    alternatives = []
    spelled = maps.get(one.suggestion.columns[0])
    if spelled and "classes" in keys:
        kept = [name for name in keys["classes"] if name_key(name) not in {name_key(other) for other in spelled}]
        alternatives.append(Alternative({"classes": kept}, "with the map of the source"))
    if not roles.pair and roles.maybe_pair[0]:
        alternatives.append(Alternative({"pair": roles.maybe_pair[0]}, f"a second text? {roles.maybe_pair[1]}"))
    for other in others[:_MOST_ALTERNATIVES]:
        why = f"or: {other.suggestion.why}" + (f"; needs {other.suggestion.needs}" if other.suggestion.needs else "")
        alternatives.append(Alternative(_without_many(_keys(other, source, roles)), why, name))
    return ProposedTask(name, keys, one.suggestion.why, one.suggestion.fit, tuple(alternatives))


def _build_doubtful(one: _Found, source: str, roles: Roles, names: Names) -> Alternative:
    """Return a task that stands as a comment: what its name calls a fact about the row can help other tasks."""
    name = _name(one.suggestion, source, 2, names)
    keys, why = _without_many(_keys(one, source, roles)), one.suggestion.why
    if one.suggestion.needs:
        why += f"; needs {one.suggestion.needs}"
    elif not roles.meta.isdisjoint(one.suggestion.columns):
        keys["auxiliary"], why = True, f"{why}; may help the other tasks"
    return Alternative(keys, why, name)


def find_spellings(column: LabelColumn) -> dict[str, tuple[str, int]]:
    """Return names that seem to be another spelling of a class, with the class and how many rows have them.

    Case, accents and separators are passed over, and a short name is taken for the one class that begins with it: `POS`
    for `positive` (our design). The class is the spelling of the most rows.

    Args:
        column: the column.
    """
    counts = column.names
    if counts is None or column.numbers is not None:
        return {}
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for name in counts:
        alike[loose_key(name)].append(name)
    for key in sorted(alike, key=len):
        longer = [other for other in alike if other != key and other.startswith(key) and len(other) > 4]
        if _SHORT.fullmatch(key) and len(longer) == 1 and not _is_word_of_its_own(key, longer[0]):
            alike[longer[0]] += alike.pop(key)
    found: dict[str, tuple[str, int]] = {}
    for key, group in alike.items():
        whole = {name: counts[name] for name in group if loose_key(name) == key}  # no abbreviation
        best = max(whole, key=lambda name: (counts[name], name))
        found |= {name: (best, counts[name]) for name in group if name != best}
    return found


def _is_word_of_its_own(key: str, longer: str) -> bool:
    """Whether a short name is the first word of a longer one, as `good` is of `good enough`."""
    return longer.startswith(f"{key} ")


def take(choice: Choice, names: Sequence[str], faults: Mapping[str, str] = MappingProxyType({})) -> Choice:
    """Return a choice with some of its tasks, the others as comments.

    Args:
        choice: the choice.
        names: the tasks that are taken, of those proposed and those that stand as comments.
        faults: by task what is wrong with it.
    """
    wanted = set(names)
    kept = [task for task in choice.tasks if task.name in wanted]
    added = [
        ProposedTask(one.name, {key: value for key, value in one.keys.items() if key != "auxiliary"}, one.why, 0.5)
        for one in choice.doubtful
        if one.name in wanted
    ]
    left = [
        Alternative(task.keys, faults.get(task.name, task.why), task.name)
        for task in choice.tasks
        if task.name not in wanted
    ]
    rest = [one for one in choice.doubtful if one.name not in wanted]
    return replace(choice, tasks=[*kept, *added], doubtful=[*left, *rest])
