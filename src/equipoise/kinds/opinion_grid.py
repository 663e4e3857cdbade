"""The grid of a text's tokens, in which opinions are tagged.

Row i and column j of the grid are tokens. On the diagonal a token belongs to a term, to an opinion, or to neither. Away
from it a cell says whether token i is of a term that the opinion of token j is about, and with which polarity (and
category). This is grid tagging (Wu et al. 2020, arXiv 2010.04640) with a direction. Where terms and opinions can be
implicit, a row and a column before the tokens stand for them (our design).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .metrics import Floats
from .opinions import MISSING, Opinion
from .tagging import Indices, find_inner, trim
from .term_search import Place

NEITHER, TERM, OPINION, RELATION = range(4)
"""What a cell is; from RELATION on, targets count pairs of category and polarity."""


class Grid(NamedTuple):
    """The shape of a task's grids.

    Args:
        polarities: how many polarities.
        categories: how many categories; 1 where the kind has none.
        implicit: whether there is a row and a column for what is implicit.
    """

    polarities: int
    categories: int
    implicit: bool

    @property
    def n_outputs(self) -> int:
        """How many numbers a cell has: four of what it is, and one of each polarity and category."""
        return 4 + self.polarities + self.categories

    def side(self, tokens: int) -> int:
        """Return how many rows a grid has."""
        return tokens + self.implicit


class Found(NamedTuple):
    """An opinion that a grid holds: places, class numbers, and how sure it is (the mean probability of its cells)."""

    term: Place
    opinion: Place
    polarity: int
    category: int
    score: float


def grid_targets(opinions: Sequence[tuple[Opinion, int, int]], offsets: Indices, grid: Grid) -> npt.NDArray[np.int64]:
    """Return the target of each cell, row after row.

    Args:
        opinions: the opinions with the numbers of their polarity and category.
        offsets: where the tokens start and end, tokens × 2.
        grid: the shape.

    Returns:
        NEITHER, TERM, OPINION, or RELATION + category · polarities + polarity; −1 for the cells of an opinion that the
        tokens hold in part, at the border of a window, and is not learnt from; shape (side²,).
    """
    side = grid.side(len(offsets))
    targets = np.zeros((side, side), dtype=np.int64)
    diagonal = np.zeros(side, dtype=np.int64)
    for opinion, polarity, category in opinions:
        if not opinion.is_placed:
            continue
        terms, opinion_words = (
            _cells_of(place, offsets, grid) for place in (opinion.term_place, opinion.opinion_place)
        )
        whole = terms.is_whole and opinion_words.is_whole
        target = RELATION + category * grid.polarities + polarity if whole else -1
        targets[np.ix_(terms.cells, opinion_words.cells)] = target
        for kind, part, place in (
            (OPINION, opinion_words, opinion.opinion_place),
            (TERM, terms, opinion.term_place),
        ):
            if place != MISSING:
                diagonal[part.cells] = kind if part.is_whole else -1
    inside = np.arange(int(grid.implicit), side)
    targets[inside, inside] = diagonal[inside]
    return targets.ravel()


class _Cells(NamedTuple):
    cells: Indices
    is_whole: bool


def _cells_of(place: Place, offsets: Indices, grid: Grid) -> _Cells:
    """Return the rows of a place, and whether the tokens hold all of it; of what is implicit the first row."""
    if place == MISSING:
        return _Cells(np.zeros(1, dtype=np.int64), True)
    start, end = place
    inside = np.flatnonzero((offsets[:, 0] < end) & (offsets[:, 1] > start))
    whole = len(offsets) > 0 and offsets[0, 0] <= start and end <= offsets[:, 1].max()
    return _Cells(inside + int(grid.implicit), bool(whole))


def read_grid(
    text: str, offsets: Indices, cells: Floats, grid: Grid, *, whole_words: bool, least: float
) -> list[Found]:
    """Return the opinions in a grid.

    Terms and opinions are runs of tokens that are most probably such. A pair of them is an opinion if the mean
    probability that its cells are related is high enough; polarity and category are those of the highest mean.

    Args:
        text: the text.
        offsets: where the tokens start and end, tokens × 2.
        cells: probabilities, side² × outputs, row after row.
        grid: the shape.
        whole_words: pieces of one word count as one token, by the mean of their cells.
        least: how probable the relation must be.
    """
    if not len(offsets):
        return []
    side = grid.side(len(offsets))
    table = cells.reshape(side, side, -1)
    if whole_words:
        table, offsets = _join_words(text, offsets, table, grid)
    first = int(grid.implicit)
    kinds = table.diagonal()[: OPINION + 1, first:].argmax(axis=0)
    sides = []
    for kind in (TERM, OPINION):
        runs = _find_runs(kinds == kind, first)
        places = [(run, trim(text, int(offsets[run[0] - first, 0]), int(offsets[run[-1] - first, 1]))) for run in runs]
        sides.append([(run, place) for run, place in places if place is not None])
        if grid.implicit:
            sides[-1].append((np.zeros(1, dtype=np.int64), MISSING))
    found = []
    for term_run, term in sides[0]:
        for opinion_run, opinion in sides[1]:
            means = table[np.ix_(term_run, opinion_run)].mean(axis=(0, 1))
            if means[RELATION] >= least:
                polarity = int(means[4 : 4 + grid.polarities].argmax())
                category = int(means[4 + grid.polarities :].argmax())
                found.append(Found(term, opinion, polarity, category, float(means[RELATION])))
    return found


def _find_runs(marked: npt.NDArray[np.bool_], first: int) -> list[Indices]:
    """Return the runs of marked tokens, as rows of the grid."""
    rows = np.flatnonzero(marked) + first
    return [run for run in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1) if len(run)]


def _join_words(text: str, offsets: Indices, table: Floats, grid: Grid) -> tuple[Floats, Indices]:
    """Return the grid of words: of the cells of pieces the mean."""
    starts = np.flatnonzero(~find_inner(text, offsets))
    rows = np.concatenate([np.zeros(int(grid.implicit), dtype=np.int64), starts + int(grid.implicit)])
    sizes = np.diff([*rows, len(table)])
    for axis in (0, 1):
        shape = [1, 1, 1]
        shape[axis] = len(sizes)
        table = np.add.reduceat(table, rows, axis=axis) / sizes.reshape(shape)
    ends = np.maximum.reduceat(offsets[:, 1], starts)
    return table, np.stack([offsets[starts, 0], ends], axis=1)
