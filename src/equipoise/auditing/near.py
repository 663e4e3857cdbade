"""Texts of dev and test that stand in an earlier split with small changes, found by MinHash."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import xxhash

from equipoise.data import SPLITS
from equipoise.progress import progress

from .findings import Finding, count_rows, show_place, show_where
from .parts import AuditedData, Part

SIMILAR = 0.8
"""Jaccard similarity of words and pairs of words from which on two texts are nearly the same."""
_BANDS = (13, 4)
"""Bands and the rows of each: a pair of similarity 0.8 is found with a probability of 0.999, one of 0.4 of 0.29."""
_BLOCK = 2048
"""Texts that are hashed at once."""
_CROWD = 20
"""Texts of a bucket that a text is compared with, at most."""
_LEAST_WORDS = 3
"""Texts of fewer words are compared as they are: nearly the same they are by chance."""
_MIX = np.uint64(0x9E3779B97F4A7C15)
_NOISE = re.compile(r"https?://\S+|www\.\S+|@\w+|[\W_]+")


Keys = npt.NDArray[np.uint64]


class _Text(NamedTuple):
    """A text, by the row that has it first; `key` is its normal form."""

    part: Part
    row: int
    key: str

    @property
    def example(self) -> str:
        """The text as it stands in its file."""
        return self.part.texts(self.part.text_columns[0])[self.row]

    @property
    def where(self) -> str:
        """The file and the place in it."""
        return show_where(self.part.rows.place(self.row))


def find_near_duplicates(data: AuditedData, label: str | None = None) -> Iterator[Finding]:
    """Look for texts of dev and test that stand in an earlier split with small changes.

    By MinHash (Broder 1997) with locality-sensitive hashing, and exact similarity of what that finds: datasketch's
    method, all texts at once. Texts that are the same are not counted (see `find_shared_texts`).

    Args:
        data: the rows.
        label: what a progress bar says; None shows none.
    """
    by_split = _gather(data)
    if sum(map(bool, by_split.values())) < 2:
        return
    pairs = _find_pairs(by_split, label)
    for part in data.parts:
        found = [(one, other) for one, other in pairs if one.part is part]
        if found:
            examples = [
                show_place(part.rows.place(one.row), one.example, f"{other.where}: {other.example}")
                for one, other in found[:3]
            ]
            about = part.about(part.text_columns[0])
            words = "texts that stand in an earlier split with small changes"
            yield count_rows("S02", about, words, part.tally(len(found)), examples=examples)


def _gather(data: AuditedData) -> dict[str, list[_Text]]:
    """Return each different text once, by split, the latest first: a copy is dropped from the earlier split."""
    seen: set[str] = set()
    by_split: dict[str, list[_Text]] = {split: [] for split in reversed(SPLITS)}
    for split, texts in by_split.items():
        for part in data.parts:
            if part.split == split:
                for index, keys in enumerate(part.rows.columns["keys"]):
                    key = next(filter(None, keys), "")
                    if key not in seen:
                        seen.add(key)
                        texts.append(_Text(part, index, key))
    return by_split


def _shingle(key: str) -> set[str]:
    """Return the words of a text, and its pairs of neighboring words, without punctuation, links and mentions."""
    words = _NOISE.sub(" ", key).split()
    return {*words, *map(" ".join, pairwise(words))} if len(words) >= _LEAST_WORDS else set()


def _find_pairs(by_split: dict[str, list[_Text]], label: str | None) -> list[tuple[_Text, _Text]]:
    """Return texts of dev and test, each with the first text of an earlier split that is nearly the same."""
    with progress(label, sum(map(len, by_split.values())), "text") as bar:
        signed = {}
        for split, texts in by_split.items():
            blocks = [texts[start : start + _BLOCK] for start in range(0, len(texts), _BLOCK)]
            signed[split] = [_sign(block) for block in blocks]
            if bar is not None:
                bar.advance(len(texts))
    found = []
    for split, earlier in (("test", ("dev", "train")), ("dev", ("train",))):
        ones, others = _join(signed[split]), _join([block for name in earlier for block in signed[name]])
        if ones[0] and others[0]:
            found += _compare(*ones, *others)
    return found


def _join(blocks: Sequence[tuple[list[_Text], Keys]]) -> tuple[list[_Text], Keys]:
    texts = [text for some, _ in blocks for text in some]
    return texts, np.concatenate([keys for _, keys in blocks]) if texts else np.empty((0, _BANDS[0]), np.uint64)


def _compare(ones: list[_Text], own: Keys, others: list[_Text], theirs: Keys) -> list[tuple[_Text, _Text]]:
    """Return those of some texts that are nearly the same as one of the others, with the first such one.

    Args:
        ones: the texts.
        own: the keys of their bands, texts × bands.
        others: the other texts.
        theirs: the keys of their bands.
    """
    pairs: dict[int, int] = {}
    for band in range(_BANDS[0]):
        order = np.argsort(theirs[:, band], kind="stable")
        ranked = theirs[order, band]
        first, last = (np.searchsorted(ranked, own[:, band], side=side) for side in ("left", "right"))
        for one in np.flatnonzero(last > first).tolist():
            for other in order[first[one] : min(last[one], first[one] + _CROWD)].tolist():
                if other < pairs.get(one, len(others)) and _are_similar(ones[one], others[other]):
                    pairs[one] = other
    return [(ones[one], others[other]) for one, other in sorted(pairs.items())]


def _are_similar(one: _Text, other: _Text) -> bool:
    words, others = _shingle(one.key), _shingle(other.key)
    return len(words & others) >= SIMILAR * len(words | others)


def _sign(texts: Iterable[_Text]) -> tuple[list[_Text], Keys]:
    """Return the texts that have words, and a key of each band of their MinHash signatures: texts × bands."""
    shingled = [(text, shingles) for text in texts if (shingles := _shingle(text.key))]
    bands, rows = _BANDS
    if not shingled:
        return [], np.empty((0, bands), np.uint64)
    words = (word for _, shingles in shingled for word in shingles)
    hashes = np.fromiter((xxhash.xxh32_intdigest(word.encode(errors="replace")) for word in words), dtype=np.uint32)
    starts = np.cumsum([0, *(len(shingles) for _, shingles in shingled[:-1])])
    draw = np.random.default_rng(0)
    # Odd factors: modulo 2^32 each permutes the hashes.
    factors = draw.integers(2**31, size=bands * rows, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    offsets = draw.integers(2**32, size=bands * rows, dtype=np.uint32)
    lowest = np.minimum.reduceat(hashes[:, None] * factors + offsets, starts, axis=0)
    keys = np.zeros((len(shingled), bands), np.uint64)
    for row in lowest.reshape(-1, bands, rows).transpose(2, 0, 1):
        keys = keys * _MIX + row
    return [text for text, _ in shingled], keys
