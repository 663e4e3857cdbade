"""Tags of tokens: B and I of each class, and O (Ramshaw and Marcus 1995, arXiv cmp-lg/9505040)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .metrics import Floats
from .spans import NOWHERE
from .term_search import is_inside_word, is_mark

OUTSIDE = 0
"""The tag of tokens outside of all spans, O."""

Indices = npt.NDArray[np.int64]


class TaggedSpan(NamedTuple):
    """A stretch of a text with a class.

    Args:
        start: where it starts, in characters of the text.
        end: where it ends.
        number: index of its class.
        score: how sure it is: the geometric mean of its tags' probabilities.
    """

    start: int
    end: int
    number: int
    score: float = 1.0


def count_tags(classes: int) -> int:
    """Return how many tags there are: O, and B and I of each class."""
    return 1 + 2 * classes


def keep_apart(spans: Sequence[TaggedSpan]) -> list[TaggedSpan]:
    """Return spans that do not overlap, in order: of those that do the longest (our design)."""
    kept: list[TaggedSpan] = []
    for span in sorted(spans, key=lambda span: (span.start - span.end, span.start)):
        if span.start != NOWHERE and all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    return sorted(kept)


def tag_tokens(spans: Sequence[TaggedSpan], offsets: Indices) -> Indices:
    """Return the tag of each token.

    A token belongs to a span if they have a character in common. A span that the tokens hold in part, at the border of
    a window, is not learnt from.

    Args:
        spans: the spans.
        offsets: where the tokens start and end, tokens × 2.

    Returns:
        0 is O, 1 + 2k B and 2 + 2k I of class k; −1 is not learnt from; shape (tokens,).
    """
    tags = np.zeros(len(offsets), dtype=np.int64)
    if not len(offsets):
        return tags
    first, last = offsets[0, 0], offsets[:, 1].max()
    for span in keep_apart(spans):
        inside = np.flatnonzero((offsets[:, 0] < span.end) & (offsets[:, 1] > span.start) & (tags == 0))
        if len(inside):
            whole = first <= span.start and span.end <= last
            tags[inside] = 2 + 2 * span.number if whole else -1
            tags[inside[0]] = 1 + 2 * span.number if whole else -1
    return tags


def read_tags(text: str, offsets: Indices, probabilities: Floats, *, whole_words: bool) -> list[TaggedSpan]:
    """Return the spans of the most probable sequence of tags that is well formed: an I follows a B or I of its class.

    Args:
        text: the text.
        offsets: where the tokens start and end, tokens × 2.
        probabilities: of the tags of each token, tokens × tags.
        whole_words: let no span begin or end inside a word.
    """
    if not len(offsets):
        return []
    logs = np.log(np.maximum(probabilities, 1e-12))
    tags = _best_sequence(logs, find_inner(text, offsets) if whole_words else np.zeros(len(offsets), bool))
    spans: list[TaggedSpan] = []
    start = 0
    while start < len(tags):
        end = start + 1
        if tags[start] > 0:
            while end < len(tags) and tags[end] == tags[start] + 1:
                end += 1
            own = logs[np.arange(start, end), tags[start:end]]
            place = trim(text, int(offsets[start, 0]), int(offsets[start:end, 1].max()))
            if place is not None:
                spans.append(TaggedSpan(*place, (int(tags[start]) - 1) // 2, float(np.exp(own.mean()))))
        start = end
    return spans


def _best_sequence(logs: Floats, inner: npt.NDArray[np.bool_]) -> Indices:
    """Return the best well-formed tags by dynamic programming (Viterbi 1967).

    Args:
        logs: log-probabilities, tokens × tags.
        inner: the tokens before which no span may begin or end, shape (tokens,).
    """
    n, tags = logs.shape
    numbers = np.arange(tags)
    is_inner_tag = (numbers > 0) & (numbers % 2 == 0)
    # What may follow what, before × after: an I its B and itself, all else everything.
    follows = ~is_inner_tag[None, :] | (numbers[:, None] == numbers - 1) | (numbers[:, None] == numbers)
    # Inside a word a span goes on, and outside of spans there is O.
    goes_on = (numbers[:, None] == 0) & (numbers == 0) | is_inner_tag[None, :] & follows
    free, bound = np.where(follows, 0.0, -np.inf), np.where(goes_on, 0.0, -np.inf)
    score = np.where(is_inner_tag, -np.inf, logs[0])
    back = np.zeros((n, tags), dtype=np.int64)
    for token in range(1, n):
        through = score[:, None] + (bound if inner[token] else free)
        back[token] = through.argmax(axis=0)
        score = through[back[token], numbers] + logs[token]
    best = np.empty(n, dtype=np.int64)
    best[-1] = score.argmax()
    for token in range(n - 1, 0, -1):
        best[token - 1] = back[token, best[token]]
    return best


def find_inner(text: str, offsets: Indices) -> npt.NDArray[np.bool_]:
    """Return which tokens go on with the word of the token before; pieces of one character do, too.

    Args:
        text: the text.
        offsets: where the tokens start and end, tokens × 2.
    """
    starts, before = offsets[1:, 0], offsets[:-1, 1]
    inner = [
        start < end or (start == end and 0 < start < len(text) and is_inside_word(text, start))
        for start, end in zip(starts.tolist(), before.tolist(), strict=True)
    ]
    return np.array([False, *inner])


def close_gaps(text: str, offsets: Indices) -> Indices:
    """Let each token reach over the marks on its last letter that no token holds: some tokenizers leave accents out.

    Args:
        text: the text.
        offsets: where the tokens start and end, tokens × 2, in order.
    """
    if text.isascii() or not len(offsets):
        return offsets
    ends = offsets[:, 1].tolist()
    nexts = [*offsets[:, 0].tolist(), len(text)]
    for token, following in enumerate(np.searchsorted(offsets[:, 0], offsets[:, 1]).tolist()):
        while ends[token] < nexts[following] and is_mark(text[ends[token]]):
            ends[token] += 1
    return np.stack([offsets[:, 0], np.array(ends, dtype=np.int64)], axis=1)


def trim(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Return a stretch without the whitespace around it; None where nothing else is there."""
    words = text[start:end]
    stripped = words.strip()
    if not stripped:
        return None
    start += len(words) - len(words.lstrip())
    return start, start + len(stripped)


def own_ranges(windows: Sequence[Indices]) -> list[tuple[float, float]]:
    """Return which stretch of a text each of its overlapping windows speaks for.

    The border lies in the middle of the overlap, so each place belongs to the window in which more text stands around
    it (our design).

    Args:
        windows: the offsets of each window's tokens, in the order of the text.

    Returns:
        From where to before where, in characters.
    """
    borders = [(int(before[:, 1].max(initial=0)) + int(after[:1, 0].sum())) / 2 for before, after in pairwise(windows)]
    return list(pairwise([-np.inf, *borders, np.inf]))


def choose_owned(spans: Sequence[list[TaggedSpan]], windows: Sequence[Indices]) -> list[TaggedSpan]:
    """Join what overlapping windows say: a span counts if it starts in the stretch that its window speaks for.

    Args:
        spans: the spans found in each window.
        windows: the offsets of each window's tokens, in the order of the text.
    """
    owned = [
        span
        for found, (low, high) in zip(spans, own_ranges(windows), strict=True)
        for span in found
        if low <= span.start < high
    ]
    return keep_apart(owned)
