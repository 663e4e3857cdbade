"""All checks of the data, in order."""

from collections.abc import Callable, Iterable, Iterator

from .findings import Finding, merge_findings, sort_findings
from .labels import (
    find_label_counts,
    find_labels_in_texts,
    find_name_problems,
    find_remarkable_labels,
    find_unlabelled,
)
from .languages import find_languages, find_scripts
from .near import find_near_duplicates
from .parts import AuditedData
from .splits import find_group_columns, find_missed_shares, find_repeats, find_shared_groups, find_shared_texts
from .texts import find_bad_texts, find_long_texts

Check = Callable[[AuditedData], Iterable[Finding]]
QUICK: tuple[Check, ...] = (
    find_bad_texts,
    find_long_texts,
    find_label_counts,
    find_name_problems,
    find_remarkable_labels,
    find_labels_in_texts,
    find_unlabelled,
    find_repeats,
    find_shared_texts,
    find_shared_groups,
    find_missed_shares,
    find_group_columns,
    find_scripts,
)
"""Checks that take a few seconds for 200,000 rows; `equipoise train` makes them, too."""
_FEW = 20_000
"""Rows in which near duplicates are found in about a second."""


def audit(data: AuditedData, *, fast: bool = False, label: str | None = None) -> list[Finding]:
    """Look for what is wrong with data.

    Args:
        data: the rows.
        fast: leave out what takes long: languages, and near duplicates of many rows.
        label: what a progress bar says while near duplicates are looked for; None shows none.

    Returns:
        What was found, the worst first.
    """
    return sort_findings(merge_findings(_run(data, fast, label)))


def _run(data: AuditedData, fast: bool, label: str | None) -> Iterator[Finding]:
    for check in QUICK:
        yield from check(data)
    if not fast or sum(map(len, data.parts)) <= _FEW:
        yield from find_near_duplicates(data, label)
    if not fast:
        yield from find_languages(data)
