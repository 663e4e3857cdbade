"""What is wrong with rows, counted: of millions of them, too, it takes a few lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from equipoise.errors import DataError, EquipoiseError, UsageError

_PLACES = 8
"""Places of one kind of problem that a message names."""
_KINDS = 50
"""Different problems that are kept, at most: the message of a line that is no JSON quotes it."""


@dataclass
class _Tally:
    """How often there is one problem, and where first."""

    count: int = 0
    places: list[str] = field(default_factory=list)


class Problems:
    """What is wrong with rows that cannot be answered.

    Args:
        rows: how many rows were looked at.

    Attributes:
        rows: how many rows were looked at.
        bad: how many of them cannot be answered.
    """

    def __init__(self, rows: int = 0) -> None:
        self.rows, self.bad = rows, 0
        self._unpaired = 0
        self._tallies: dict[str, _Tally] = {}

    def add(self, problems: Sequence[str], place: str, unpaired: bool = False) -> None:
        """Count one row that cannot be answered.

        Args:
            problems: what is wrong with it, one at least.
            place: names the row, such as "data.csv, line 5".
            unpaired: it has no second text.
        """
        self.bad += 1
        self._unpaired += unpaired
        for problem in problems:
            self._count(problem, 1, [place])

    def join(self, later: "Problems") -> None:
        """Count the rows that follow."""
        self.rows += later.rows
        self.bad += later.bad
        self._unpaired += later._unpaired
        for problem, tally in later._tallies.items():
            self._count(problem, tally.count, tally.places)

    def _count(self, problem: str, count: int, places: Sequence[str]) -> None:
        if problem in self._tallies or len(self._tallies) < _KINDS:
            tally = self._tallies.setdefault(problem, _Tally())
            tally.count += count
            tally.places += places[: _PLACES - len(tally.places)]

    def as_error(self) -> EquipoiseError:
        """Return the error that all of them are: every problem, the rows that have it counted, the first ones named."""
        messages = [self._message(problem, tally) for problem, tally in self._tallies.items()]
        if len(messages) > 1:
            messages.append(f"{self.bad:,} of {self.rows:,} rows cannot be answered; correct them, or leave them out.")
        return (UsageError if self._unpaired == self.rows else DataError)(*messages)

    def _message(self, problem: str, tally: _Tally) -> str:
        file, comma, _ = tally.places[0].rpartition(", ")
        if 1 < tally.count == self.rows:
            return f"{file}{comma}all {tally.count:,} rows: {problem}"
        if tally.count > 1:
            problem = problem.replace("leave the row out", "leave these rows out")
        return f"{_list_places(tally)}: {problem}"

    def as_note(self) -> str:
        """Return the note that so many rows have an error in the place of an answer; "" where there is none."""
        if not self.bad:
            return ""
        problem, tally = next(iter(self._tallies.items()))
        more = len(self._tallies) - 1
        others = f" … and {more} other kind{'s' * (more > 1)} of problem." if more else ""
        have = "row has" if self.rows == 1 else "rows have"
        which = f"{_list_places(tally)}: {problem.removesuffix('; leave the row out.')}"
        return f"{self.bad:,} of {self.rows:,} {have} an error in the place of an answer: {which}{others}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON data; `from_dict` reads it back."""
        tallies = {problem: [tally.count, tally.places] for problem, tally in self._tallies.items()}
        return {"rows": self.rows, "bad": self.bad, "unpaired": self._unpaired, "problems": tallies}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Problems":
        """Read back what `to_dict` wrote."""
        found = cls(data["rows"])
        found.bad, found._unpaired = data["bad"], data["unpaired"]
        found._tallies = {problem: _Tally(count, list(places)) for problem, (count, places) in data["problems"].items()}
        return found


def _list_places(tally: _Tally) -> str:
    """Name the first places: "data.csv, line 5, line 7 and 3 more"; the file is named once."""
    first, *others = tally.places
    file, comma, _ = first.rpartition(", ")
    more = tally.count - len(tally.places)
    shown = ", ".join([first, *(place.removeprefix(file + comma) for place in others)])
    return f"{shown} and {more:,} more" if more else shown
