"""What is found in the data of a run, or in its run file."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from equipoise.data import Place, Rows
from equipoise.errors import shorten

from .codes import CODES

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")
"""How bad a finding is, the worst first: with an error nothing can be trained; notes are for information."""
_EXAMPLES = 3
_WIDTH = 120


@dataclass(frozen=True)
class Tally:
    """How many rows of a split something is about, and of how many."""

    split: str
    count: int
    total: int


@dataclass(frozen=True)
class Example:
    """A row that a finding is about.

    Args:
        file: its file, as messages call it.
        unit: what `number` counts: "line" or "row".
        number: where the row stands there.
        text: what was found, shortened.
        beside: what it is compared with, such as the place of a row with the same text; "" where there is nothing.
    """

    file: str
    unit: str
    number: int
    text: str
    beside: str = ""

    @property
    def where(self) -> str:
        """The file, from the working folder on, and the place in it."""
        return show_where(Place(self.file, self.unit, self.number))


@dataclass(frozen=True)
class Finding:
    """Something that was found.

    Args:
        code: its code, a key of `CODES`.
        level: how bad it is.
        about: what it is about, such as "task 'polarity'" or "source 'reviews', column 'text'".
        words: what was found, in words, without a full stop; what `tallies` count comes before it.
        count: how many rows, labels or things it is about.
        advice: what to do.
        examples: a few of them.
        tallies: by split how many rows it is about, where it is about rows of splits.
    """

    code: str
    level: Level
    about: str
    words: str
    count: int
    advice: str
    examples: tuple[Example, ...] = ()
    tallies: tuple[Tally, ...] = ()

    @property
    def title(self) -> str:
        """What its code stands for."""
        return CODES[self.code].title

    @property
    def message(self) -> str:
        """What was found, in one sentence without a full stop."""
        counts = [f"{tally.count:,} of {tally.total:,} in {tally.split}" for tally in self.tallies]
        return f"{self.words}: {', '.join(counts)}" if counts else self.words

    @property
    def line(self) -> str:
        """The finding on one line."""
        return f"{self.code} {self.about}: {self.message}."

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain JSON data."""
        return {**asdict(self), "title": self.title, "message": self.message}


def make_finding(
    code: str,
    about: str,
    words: str,
    count: int,
    *,
    level: Level | None = None,
    examples: Iterable[Example] = (),
    advice: str = "",
) -> Finding:
    """Return a finding.

    Args:
        code, about, words, count: see `Finding`.
        level: by default the code's own.
        examples: all there are; the first few are kept.
        advice: by default the code's own.
    """
    known = CODES[code]
    return Finding(code, level or known.level, about, words, count, advice or known.advice, _few(examples))


def count_rows(
    code: str, about: str, words: str, tally: Tally, *, examples: Iterable[Example] = (), level: Level | None = None
) -> Finding:
    """Return a finding about rows of a split; those of several splits become one by `merge_findings`.

    Args:
        code, about, words: see `Finding`.
        tally: how many rows.
        examples: all there are; the first few are kept.
        level: by default it follows from the code and the share of the rows.
    """
    found = make_finding(code, about, words, tally.count, level=level, examples=examples)
    return replace(found, tallies=(tally,))


def merge_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Join findings that differ in the split alone; what is rare becomes a note, as its code says."""
    alone: list[Finding] = []
    merged: dict[tuple[str, str, str, Level], Finding] = {}
    for finding in findings:
        key = finding.code, finding.about, finding.words, finding.level
        if not finding.tallies:
            alone.append(finding)
        elif key in merged:
            first = merged[key]
            merged[key] = replace(
                first,
                count=first.count + finding.count,
                examples=_few((*first.examples[:1], *finding.examples, *first.examples[1:])),
                tallies=(*first.tallies, *finding.tallies),
            )
        else:
            merged[key] = finding
    return [*alone, *map(_weigh, merged.values())]


def _weigh(finding: Finding) -> Finding:
    total = sum(tally.total for tally in finding.tallies)
    if finding.level == "warning" and finding.count < CODES[finding.code].rare * total:
        return replace(finding, level="note")
    return finding


def _few(examples: Iterable[Example]) -> tuple[Example, ...]:
    return tuple(example for example, _ in zip(examples, range(_EXAMPLES), strict=False))


def show_rows(rows: Rows, indices: Iterable[int], texts: Sequence[Any]) -> Iterator[Example]:
    """Return examples of rows.

    Args:
        rows: the rows.
        indices: which of them.
        texts: what is shown of each row, by index.
    """
    for index in indices:
        yield show_place(rows.place(index), texts[index])


def show_place(place: Place, text: Any, beside: str = "") -> Example:
    """Return an example.

    Args:
        place: where it stands.
        text: what is shown.
        beside: what it is compared with.
    """
    return Example(*place, shorten(str(text), _WIDTH), shorten(beside, 2 * _WIDTH))


def show_where(place: Place) -> str:
    """Name a file, from the working folder on where it lies there, and a place in it."""
    here = os.path.join(os.getcwd(), "")
    return f"{place.file.removeprefix(here)}, {place.unit} {place.number}"


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings, the worst first, and by code."""
    return sorted(findings, key=lambda finding: (LEVELS.index(finding.level), finding.code))
