"""Texts and groups that stand in two splits, texts that repeat, and labels that contradict each other."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from equipoise.data import SPLITS, find_repeated
from equipoise.keys import name_key, normalize

from .findings import Example, Finding, Level, count_rows, make_finding, show_place, show_rows, show_where
from .parts import AuditedData, Part

_GROUPS = re.compile(
    r"(?:^|_)(?:author|user|writer|speaker|reviewer|customer|client|account|patient|annotator|document|doc|article|"
    r"thread|conversation|session|dialogue|dialog|movie|film|product|item|asin|business|company|video|post|page|url|"
    r"book|event)(?:_?(?:id|name|key|nr|no))?$"
)
_LEAST_REPEATED = 0.2
"""Share of the rows whose value in a column stands in another row, too, before the column is said to be a group."""
_MISSED = 0.5
"""Part of a share that was asked for by which a split may differ from it."""


def find_shared_texts(data: AuditedData) -> Iterator[Finding]:
    """Look for texts that stand in two splits, of whatever source."""
    later: dict[str, tuple[Part, int]] = {}
    for split in reversed(SPLITS):
        parts = [part for part in data.parts if part.split == split]
        for part in parts:
            shared: dict[int, tuple[Part, int]] = {}
            for index, keys in enumerate(part.rows.columns["keys"]):
                twin = next((later[key] for key in keys if key in later), None)
                if twin is not None:
                    shared[index] = twin
            texts = part.texts(part.text_columns[0])
            yield from _tell_shared("S01", part, part.text_columns[0], "text", shared, texts)
        # Nothing stands before train, so that its texts need not be kept.
        for part in parts if split != SPLITS[0] else ():
            for index, keys in enumerate(part.rows.columns["keys"]):
                for key in filter(None, keys):
                    later.setdefault(key, (part, index))


def find_shared_groups(data: AuditedData) -> Iterator[Finding]:
    """Look for groups that stand in two splits, and for rows without a group."""
    for source, config in data.config.sources.items():
        if config.group is None:
            continue
        later: dict[str, tuple[Part, int]] = {}
        for part in reversed(data.of_source(source)):
            groups = part.rows.columns["group"]
            shared = {index: later[group] for index, group in enumerate(groups) if group in later}
            yield from _tell_shared("S03", part, config.group, "group", shared, groups)
            for index, group in enumerate(groups):
                if group is not None:
                    later.setdefault(group, (part, index))
            missing = [index for index, group in enumerate(groups) if group is None]
            if missing:
                examples = show_rows(part.rows, missing, part.texts(part.text_columns[0]))
                about, words = part.about(config.group), "rows without a group"
                yield count_rows("S08", about, words, part.tally(len(missing)), examples=examples)


def find_missed_shares(data: AuditedData) -> Iterator[Finding]:
    """Look for sources that are split by group, and whose splits have other shares of the rows than were asked for."""
    for source, config in data.config.sources.items():
        sizes = {part.split: len(part) for part in data.of_source(source)}
        taken = [split for split in SPLITS[1:] if split in sizes and split not in data.raw(source)]
        if config.group is None or not taken:
            continue
        total = sum(sizes[split] for split in ("train", *taken))
        asked = {split: share for split, share in zip(SPLITS, config.split, strict=True) if split in taken}
        found = {split: sizes[split] / total for split in taken}
        if all(abs(found[split] - asked[split]) <= _MISSED * asked[split] for split in taken):
            continue
        parts = [part for part in data.of_source(source) if part.split in ("train", *taken)]
        groups = Counter(group for part in parts for group in part.rows.columns["group"] if group is not None)
        most = max(groups.values(), default=0) / total
        shares = [{"train": 1 - sum(part.values()), **part} for part in (asked, found)]
        words = " but ".join(
            f"{verb} {', '.join(f'{split} {share:.0%}' for split, share in part.items())}"
            for verb, part in zip(("asked for", "got"), shares, strict=True)
        )
        count = f"{len(groups):,} group{'s' * (len(groups) != 1)}"
        why = f"{count}, each in one split, the largest with {most:.0%} of the {total:,} rows"
        yield make_finding("S09", f"source '{source}', column '{config.group}'", f"{words}: {why}", len(groups))


def _tell_shared(
    code: str, part: Part, column: str, noun: str, shared: Mapping[int, tuple[Part, int]], texts: Sequence[Any]
) -> Iterator[Finding]:
    """Report rows whose text or group stands in a later split, by split."""
    for split in dict.fromkeys(other.split for other, _ in shared.values()):
        found = {index: twin for index, twin in shared.items() if twin[0].split == split}
        examples = (
            show_place(part.rows.place(index), texts[index], f"also {show_where(other.rows.place(place))}")
            for index, (other, place) in found.items()
        )
        words = f"rows whose {noun} stands in {split}, too"
        yield count_rows(code, part.about(column), words, part.tally(len(found)), examples=examples)


def find_repeats(data: AuditedData) -> Iterator[Finding]:
    """Look for rows that repeat another's text and pair, and for labels of such rows that differ."""
    for part in data.parts:
        for view in dict.fromkeys(task.view for task in part.tasks.values()):
            readers = [name for name, task in part.tasks.items() if task.view == view]
            groups = _group(part, view.text, view.pair)
            if not groups:
                continue
            examples = (
                _show_pair(part, view.text, group[0], group[1], f"{len(group)} times, also ")
                for group in sorted(groups, key=len, reverse=True)
            )
            in_train = part.split == "train"
            words = "rows that repeat another, and are merged" if in_train else "rows that repeat another, and are kept"
            tally = part.tally(sum(map(len, groups)) - len(groups))
            level: Level | None = "note" if in_train else None
            yield count_rows("S04", part.about(view.text), words, tally, examples=examples, level=level)
            for name in readers:
                yield from _find_conflicts(part, name, view.text, groups)


def _group(part: Part, text: str, pair: str | None) -> list[list[int]]:
    """Return the rows of each text (and pair) that stands in several."""
    columns = [part.texts(column) for column in (text, pair) if column is not None]
    return find_repeated(lambda: zip(*(map(normalize, texts) for texts in columns), strict=True), len(part))


def _find_conflicts(part: Part, name: str, text: str, groups: Sequence[Sequence[int]]) -> Iterator[Finding]:
    labels, task = part.rows.columns[f"label:{name}"], part.tasks[name]
    examples, count = [], 0
    for group in groups:
        labelled = [index for index in group if labels[index] is not None]
        first, *others = labelled or [-1]
        other = next((index for index in others if task.contradicts(labels[index], labels[first])), None)
        if other is not None:
            count += len(labelled)
            examples.append(_show_pair(part, text, first, other, f"{labels[first]} here, {labels[other]} at "))
    if count:
        words = "rows whose text has another label elsewhere"
        yield count_rows("L09", f"task '{name}'", words, part.tally(count), examples=examples)


def _show_pair(part: Part, text: str, one: int, other: int, words: str) -> Example:
    place = show_where(part.rows.place(other))
    return show_place(part.rows.place(one), part.texts(text)[one], f"{words}{place}")


def find_group_columns(data: AuditedData) -> Iterator[Finding]:
    """Look for columns that seem to name an author or a document, where a source has no group."""
    for source, config in data.config.sources.items():
        parts = data.of_source(source)
        if config.group is not None or not parts:
            continue
        tasks = {name: task for part in parts for name, task in part.tasks.items()}
        used = {name for task in tasks.values() for name in (task.text, task.pair, *task.label_columns)} | {
            *config.subsets
        }
        raw = data.raw(source)
        for column in dict.fromkeys(name for files in raw.values() for rows in files for name in rows.columns):
            if column in used or not _GROUPS.search(name_key(column).casefold().replace(" ", "_")):
                continue
            cells = [cell for files in raw.values() for rows in files for cell in rows.columns.get(column, ())]
            counts = Counter(str(cell) for cell in cells if cell is not None)
            repeated = sum(count for count in counts.values() if count > 1)
            if len(counts) > 1 and repeated > _LEAST_REPEATED * len(cells):
                message = f"{len(counts):,} values on {len(cells):,} rows"
                advice = f"If rows of one value are alike, keep them in one split (group: {column})."
                yield make_finding("S07", f"source '{source}', column '{column}'", message, len(counts), advice=advice)
