"""Names that are spelled in several ways: those with the same key become one, those that look alike are told."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from equipoise.errors import UsageError
from equipoise.keys import drawn_as, is_blank, is_number, loose_key, name_key, normalize, tidy
from equipoise.kinds import NameIndex, Task, Vocabulary, shorten

from .cells import pack
from .rows import Rows

_SHOWN = 3
_NOTHING = {"n/a", "na", "#n/a", "null", "none", "nil", "-", "--", "?", ".", "unknown", "missing"}
"""What some files write where there is no value."""
_WIDTH = 40
_PROPOSED = 6
_POLARITIES = ("negative", "neutral", "positive")


def join_classes(splits: Mapping[str, Rows], task: Task, notes: list[str]) -> None:
    """Give all spellings of a class, in all splits, the class's name; the rows are changed in place.

    Of listed classes the name is the listed one, else it is the spelling in its normal form. Categories are names like
    classes.
    """
    for vocabulary in task.vocabularies:
        _join_names(splits, task, vocabulary, notes)


def _join_names(splits: Mapping[str, Rows], task: Task, vocabulary: Vocabulary, notes: list[str]) -> None:
    column = f"label:{task.name}"
    found = [rows for rows in splits.values() if column in rows.columns]
    counts = Counter(
        name for rows in found for label in rows.columns[column] if label is not None for name in vocabulary.of(label)
    )
    known = vocabulary.known
    names = unify(counts, known)
    changed = {spelling: name for spelling, name in names.items() if spelling != name}
    if changed:
        for rows in found:
            labels = (None if label is None else vocabulary.rename(label, changed) for label in rows.columns[column])
            rows.columns[column] = pack(labels, len(rows))
    about, what = f"Task '{task.name}'", vocabulary.noun
    notes.extend(_tell(counts, names, about, what))
    if not known and (empty := sorted(name for name in set(names.values()) if is_nothing(name))):
        notes.append(
            f"{about}: {_list([_show(name) for name in empty])} counted as a {what} like any other. If it means that "
            f"there is no label, say so in the run file: na: {json.dumps(empty[:_SHOWN], ensure_ascii=False)}."
        )
    if vocabulary.has_separator and not known:
        notes.extend(_tell_separators(set(names.values()), about))


def join_words(splits: Iterable[Rows], column: str, about: str, notes: list[str]) -> None:
    """Give all spellings of a word in a column of groups or subsets one form; the rows are changed in place."""
    found = [rows for rows in splits if column in rows.columns]
    counts = Counter(word for rows in found for word in rows.columns[column] if word is not None)
    names = unify(counts)
    for rows in found:
        # Invisible characters alone are no word.
        words = (None if word is None else names[word] or None for word in rows.columns[column])
        rows.columns[column] = pack(words, len(rows))
    notes.extend(_tell(counts, names, about, "value"))


def is_nothing(cell: str) -> bool:
    """Whether a cell is what some files write where there is no value."""
    return cell.strip().casefold() in _NOTHING


def propose_map(counts: Mapping[str, int]) -> dict[str, str]:
    """Return the spellings that seem to stand for another name, and that name (our design).

    Names that look alike are one, the most frequent; what is short for negative, neutral or positive is the whole word;
    and if there are as many numbers as such words, and nothing else, the numbers are these words in order.

    Args:
        counts: how often there is each spelling.

    Example:
        >>> from equipoise.data.spellings import propose_map
        >>> propose_map({"Positive": 5, "positive": 90, "neg": 30, "negative": 60})
        {'Positive': 'positive', 'neg': 'negative'}
    """
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(counts):
        groups[loose_key(name)].append(name)
    names = {key: max(group, key=lambda name: (counts[name], len(name))) for key, group in groups.items()}
    whole = [word for word in _POLARITIES if word in names]
    for key in list(names):
        meant = [word for word in whole if word.startswith(key) and word != key]
        if len(meant) == 1:
            names[key] = names[meant[0]]
    numbers = sorted((key for key in names if is_number(key)), key=float)
    polar = [next((names[key] for key in (word, word[:3]) if key in names), "") for word in _POLARITIES]
    polar = [name for name in polar if name]
    if numbers and len(numbers) == len(polar) and len({*names.values()}) == 2 * len(polar):
        names.update(dict(zip(numbers, polar, strict=True)))
    return {name: names[key] for key, group in groups.items() for name in group if name != names[key]}


def say_map(unknown: Sequence[str], known: Sequence[str]) -> str:
    """Return which entries of `map` make names that are not known known ones; "" where none is likely to."""
    proposed = propose_map({**dict.fromkeys(unknown, 1), **dict.fromkeys(known, 2)})
    # Of several known names the one that looks alike comes first, and a number last.
    meant = {}
    for name in unknown:
        same = [one for one in known if proposed.get(one, one) == proposed.get(name, name)]
        if same:
            meant[name] = min(same, key=lambda one: (loose_key(one) != loose_key(name), is_number(one)))
    return f"If they mean the same, say so in the run file: {show_map(meant)}." if meant else ""


def show_map(spellings: Mapping[str, str]) -> str:
    """Write a proposal for the key `map` as YAML has it, the first ones of many."""
    pairs = []
    for one, other in list(spellings.items())[:_PROPOSED]:
        hidden = drawn_as(one) == drawn_as(other)  # then only escapes tell them apart
        pairs.append(": ".join(json.dumps(name, ensure_ascii=hidden) for name in (one, other)))
    return f"map: {{{', '.join(pairs)}}}"


def unify(spellings: Iterable[str], known: Sequence[str] = ()) -> dict[str, str]:
    """Return the name of each spelling.

    Args:
        spellings: the spellings, each once.
        known: names that are taken as they are; a spelling with the key of one of them has its name.
    """
    index = NameIndex(known)
    names: dict[str, str] = {}
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for spelling in spellings:
        place = index.find(spelling)
        if place is None:
            groups[name_key(spelling)].append(spelling)
        else:
            names[spelling] = known[place]
    for key, group in groups.items():
        # 1.0 alone stays as it is; 1.0 beside 1 becomes 1. Emoji keep their joiners if all spellings have the same.
        forms = {tidy(spelling) for spelling in group}
        names.update(dict.fromkeys(group, forms.pop() if len(forms) == 1 else key))
    return names


def check_listed(task: Task) -> Task:
    """Return a task of the run file with its listed names in the form in which they are shown.

    Raises:
        UsageError: two of them are one class, or one category; or one is empty.
    """
    for vocabulary in task.vocabularies:
        seen: dict[str, str] = {}
        for name in vocabulary.known:
            if is_blank(name):
                raise UsageError(f"tasks.{task.name}.{vocabulary.key}: found {_show(name)}, expected names.")
            other = seen.setdefault(name_key(name), name)
            if other is not name:
                raise UsageError(
                    f"tasks.{task.name}: found the {vocabulary.key} {_show(other)} and {_show(name)}, which are one "
                    f"{vocabulary.noun} in two spellings; expected each once. Leave one out: labels in either spelling "
                    "are read as it."
                )
        tidied = tuple(tidy(name) or name for name in vocabulary.known)
        if tidied != vocabulary.known:
            task = task.replace(**{vocabulary.key: tidied})
    return task


def _tell(counts: Mapping[str, int], names: Mapping[str, str], about: str, what: str) -> list[str]:
    """Say which spellings were joined or changed, and which names look alike but were kept apart."""
    notes = []
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for spelling, name in names.items():
        if name:
            groups[name].append(spelling)
    joined = [
        f"{_show(name)} (" + ", ".join(f"{_show(one)} {counts[one]} times" for one in sorted(group)) + ")"
        for name, group in groups.items()
        if group != [name]
    ]
    if joined:
        notes.append(f"{about}: spellings that are read as one {what}: {_list(joined)}.")
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(groups):
        alike[loose_key(name)].append(name)
    twins = [_show_twins(group) for group in alike.values() if len(group) > 1]
    names_counts = {name: sum(counts[one] for one in group) for name, group in groups.items()}
    proposed = propose_map(names_counts) if what == "class" else {}
    if twins:
        plural = {"class": "classes", "polarity": "polarities", "category": "categories"}.get(what, f"{what}s")
        hint = f"say so in the run file: {show_map(proposed)}" if proposed else "spell them alike"
        notes.append(
            f"{about}: {plural} that look alike and are kept apart: {_list(twins)}. If they mean the same, {hint}."
        )
    elif proposed:
        pairs = [f"{_show(one)} and {_show(other)}" for one, other in proposed.items()]
        notes.append(
            f"{about}: classes that may mean the same: {_list(pairs)}. If they do, say so in the run file: "
            f"{show_map(proposed)}."
        )
    return notes


def find_joined_names(names: Collection[str]) -> tuple[str, list[str]] | None:
    """Find names that seem to be several with a separator between them; None where there are none.

    Returns:
        The separator, and the names.
    """
    for separator in (",", ";", "|", "/", "+", "\t"):
        joined = sorted(name for name in names if separator in name)
        parts = Counter(part.strip() for name in joined for part in name.split(separator))
        if any(part in names or count > 1 for part, count in parts.items() if part):
            return separator, joined
    return None


def _tell_separators(names: Collection[str], about: str) -> list[str]:
    """Say which labels seem to be several, with another separator between them than the task's."""
    found = find_joined_names(names)
    if found is None:
        return []
    separator, joined = found
    return [
        f"{about}: labels that seem to be several with {separator!r} between them, but are read as one: "
        f"{_list([_show(name) for name in joined])}. If they are several, name it (separator)."
    ]


def _list(items: Sequence[str]) -> str:
    more = f"; and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return "; ".join(items[:_SHOWN]) + more


def _show(name: str) -> str:
    """Quote a name; what is invisible in it, or written in an unusual form, is seen as an escape."""
    return shorten(repr(name) if name == normalize(name) else ascii(name), _WIDTH)


def _show_twins(group: Sequence[str]) -> str:
    """Quote names that look alike; where two of them are drawn the same, letters of other alphabets are escapes."""
    drawn = Counter(drawn_as(name) for name in group)
    return " and ".join(
        ascii(name) if drawn[drawn_as(name)] > 1 and name != drawn_as(name) else _show(name) for name in group[:4]
    )
