"""Labels as they are counted: classes, scores, what cannot be learned, what stands in the texts."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from equipoise.data import find_joined_names, propose_map
from equipoise.keys import loose_key, normalize
from equipoise.kinds import Task, Vocabulary

from .findings import Finding, Level, Tally, count_rows, make_finding, show_place, show_rows
from .parts import AuditedData, Part
from .placeholders import is_placeholder
from .sampling import sample

_FEW_LABELS = 50
_NEAR_EMPTY = 10
_IMBALANCE, _STRONG_IMBALANCE, _MAJORITY = 10, 50, 0.9
_MANY_LABELS = 20
_TELLING = 0.9
"""Share of the texts that hold their own label, from which on the label is said to stand in them."""
_OTHERS = 0.4
"""Largest share of the texts that hold another label, too."""
_WORD = re.compile(r"[\w.+-]+")
_REMARKS = {"ends": "L11", "unused": "L12", "far": "L13"}


def find_label_counts(data: AuditedData) -> Iterator[Finding]:
    """Look for few labels, near-empty, missing, too many or imbalanced classes."""
    for name, task in data.tasks.items():
        parts = list(data.of_task(name))
        labels = {part.split: part.labels(name)[1] for part in parts}
        if labels.get("train"):
            about = f"task '{name}'"
            yield from _find_few(about, task, labels)
            yield from _find_class_counts(about, task, parts, labels)


def _find_few(about: str, task: Task, labels: dict[str, Sequence[Any]]) -> Iterator[Finding]:
    if (count := len(labels["train"])) < _FEW_LABELS:
        yield make_finding("L04", about, f"{count} training labels", count)
    small = {split: len(labels[split]) for split in ("dev", "test") if split in labels}
    small = {split: count for split, count in small.items() if count < _FEW_LABELS}
    if small and not task.auxiliary:
        message = ", ".join(f"{count} labels in {split}" for split, count in small.items())
        yield make_finding("S06", about, message, min(small.values()))


def _find_class_counts(
    about: str, task: Task, parts: Sequence[Part], labels: dict[str, Sequence[Any]]
) -> Iterator[Finding]:
    counts = {
        split: Counter(name for label in found for name in task.classes_of(label)) for split, found in labels.items()
    }
    train, total = counts["train"], len(labels["train"])
    names = task.class_names or tuple(train)
    if not names:
        return
    if task.has_one_class and total >= _MANY_LABELS and 2 * len(train) > total:
        yield make_finding("L05", about, f"{len(train):,} classes on {total:,} training rows", len(train))
        return
    rare = [name for name in names if train[name] < _NEAR_EMPTY]
    if rare:
        listed = ", ".join(f"'{name}' {train[name]} times" for name in rare[:5])
        more = f" and {len(rare) - 5} more" if len(rare) > 5 else ""
        examples = _show_labels(parts[0], task, rare)
        yield make_finding("L01", about, f"classes on few training rows: {listed}{more}", len(rare), examples=examples)
    for split, found in counts.items():
        missing = [name for name in names if train[name] >= _NEAR_EMPTY and not found[name]]
        if missing and split != "train" and len(labels[split]) >= _MANY_LABELS:
            listed = ", ".join(f"'{name}'" for name in missing[:5])
            yield make_finding("L02", about, f"no row of {split} has {listed}", len(missing))
    if task.has_one_class and len(train) > 1:
        yield from _find_imbalance(about, train, total)


def _find_imbalance(about: str, train: Counter[str], total: int) -> Iterator[Finding]:
    (most, largest), (least, smallest) = train.most_common(1)[0], train.most_common()[-1]
    if largest <= _IMBALANCE * smallest:
        return
    strong = largest >= _MAJORITY * total or largest > _STRONG_IMBALANCE * smallest
    level: Level = "warning" if strong else "note"
    message = f"'{most}' is on {largest:,} of {total:,} training rows, '{least}' on {smallest:,}"
    yield make_finding("L03", about, message, largest, level=level)


def _show_labels(part: Part, task: Task, wanted: Sequence[str]) -> Iterator[Any]:
    rows, labels = part.labels(task.name)
    texts = part.texts(task.text)
    for index, label in zip(rows, labels, strict=True):
        if found := [name for name in task.classes_of(label) if name in wanted]:
            yield show_place(part.rows.place(index), texts[index], ", ".join(found))


def find_remarkable_labels(data: AuditedData) -> Iterator[Finding]:
    """Ask the kinds what is remarkable about the labels of their tasks, in train and between the splits."""
    for name, task in data.tasks.items():
        by_split = {part.split: (part, *part.labels(name)) for part in data.of_task(name)}
        if not by_split.get("train", (None, [], []))[1]:
            continue
        part, rows, labels = by_split["train"]
        for remark in task.inspect(labels):
            examples = show_rows(part.rows, [rows[place] for place in remark.labels[:3]], part.texts(task.text))
            code = _REMARKS[remark.what]
            yield make_finding(code, f"task '{name}'", remark.sentence, len(remark.labels), examples=examples)
        for split, (_, _, others) in by_split.items():
            enough = split != "train" and min(len(others), len(labels)) >= _MANY_LABELS
            if enough and (difference := task.compare_splits(labels, others)):
                message = f"train and {split} differ: {difference}"
                yield make_finding("S05", f"task '{name}'", message, len(others))
        for split, (_, _, found) in by_split.items():
            for sentence in task.describe(found):
                yield make_finding("L15", f"task '{name}'", f"{split}: {sentence.rstrip('.')}", len(found))


def find_labels_in_texts(data: AuditedData) -> Iterator[Finding]:
    """Look for tasks whose labels stand in their texts, in a sample of the training rows."""
    for name, task in data.tasks.items():
        part = next((part for part in data.of_task(name) if part.split == "train"), None)
        if part is None:
            continue
        rows, labels = part.labels(name)
        texts = part.texts(task.text)
        chosen = sample(len(rows), name)
        written = [{_bare(word) for word in task.words_of(labels[place])} for place in chosen]
        known = set().union(*written)
        if len(chosen) < _MANY_LABELS or len(known) < 2:
            continue
        several = [name for name in known if not _WORD.fullmatch(name)]
        holding, others = [], 0
        for place, own in zip(chosen, written, strict=True):
            found = _words(texts[rows[place]], known, several)
            if own and own <= found:
                holding.append(rows[place])
            others += bool(found - own)
        if len(holding) >= _TELLING * len(chosen) and others <= _OTHERS * len(chosen):
            words = f"rows whose label stands in the column '{task.text}'"
            tally = Tally("train", len(holding), len(chosen))
            yield count_rows("L10", f"task '{name}'", words, tally, examples=show_rows(part.rows, holding, texts))


def _bare(word: str) -> str:
    return normalize(word).casefold()


def _words(text: str, known: set[str], several: Sequence[str]) -> set[str]:
    """Return which names stand in a text as whole words; those of several words are looked for one by one."""
    text = _bare(text)
    found = _WORD.findall(text)
    words = {*found, *(word.strip(".+-") for word in found)}
    return (words & known) | {name for name in several if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)}


def find_name_problems(data: AuditedData) -> Iterator[Finding]:
    """Look for names that look alike, mean nothing, or are several in one."""
    for name, opened in data.config.open_tasks().items():
        for vocabulary in opened.vocabularies:
            parts = data.of_task(name)
            counts = Counter(
                found for part in parts for label in part.labels(name)[1] for found in vocabulary.of(label)
            )
            yield from _find_twins(f"task '{name}'", counts)
            if not vocabulary.known:
                yield from _find_odd_names(f"task '{name}'", opened, vocabulary, counts)


def _find_odd_names(about: str, task: Task, vocabulary: Vocabulary, counts: Counter[str]) -> Iterator[Finding]:
    empty = sorted(found for found in counts if is_placeholder(found))
    if empty:
        message = f"{_list(empty)} counted as a {vocabulary.noun}"
        yield make_finding("L07", about, message, sum(counts[found] for found in empty))
    separator, joined = find_joined_names(counts) or ("", [])
    if task.has_one_class:
        # A class may have a slash in its name; several classes are joined of names that are classes.
        joined = [found for found in joined if all(part.strip() in counts for part in found.split(separator))]
    if joined and (vocabulary.has_separator or task.has_one_class):
        message = f"names that seem to be several with {separator!r} between them: {_list(joined)}"
        yield make_finding("L08", about, message, sum(counts[found] for found in joined))


def _find_twins(about: str, counts: Counter[str]) -> Iterator[Finding]:
    """Look for names that look alike, or that one is short for."""
    alike: dict[str, list[str]] = {}
    for found in sorted(counts):
        alike.setdefault(loose_key(found), []).append(found)
    meant = propose_map(counts)
    groups = [group for group in alike.values() if len(group) > 1]
    groups += [[short, name] for short, name in meant.items() if loose_key(short) != loose_key(name)]
    if groups:
        shown = "; ".join(" and ".join(f"{one!a} ({counts[one]:,})" for one in group[:4]) for group in groups[:3])
        message = f"names that may mean the same and are kept apart: {shown}"
        written = json.dumps(dict(list(meant.items())[:6]), ensure_ascii=False)
        advice = f"If they mean the same, say so (map: {written})." if meant else ""
        count = sum(counts[one] for one in {one for group in groups for one in group})
        yield make_finding("L06", about, message, count, advice=advice)


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def find_unlabelled(data: AuditedData) -> Iterator[Finding]:
    """Look for rows that are left out because they have no label of any task, or no text where they have one."""
    for source in data.config.sources:
        parts = {part.split: part for part in data.of_source(source)}
        if not parts:
            continue
        total = sum(len(rows) for files in data.raw(source).values() for rows in files)
        empty = data.empty.get(source, ())
        if empty:
            examples = (show_place(one.place, f"label {one.label}") for one in empty)
            words, tally = "rows with a label and no text", Tally("all files", len(empty), total)
            yield count_rows("T14", f"source '{source}'", words, tally, examples=examples)
        labelled = sum(map(len, parts.values())) + sum(one.is_left_out for one in empty)
        if labelled < total:
            tally = Tally("all files", total - labelled, total)
            yield count_rows("L16", f"source '{source}'", "rows without a label", tally)
