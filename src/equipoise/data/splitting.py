"""Splits that stay where they are when rows come or go, and that never share a text."""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import repeat
from typing import Any

import numpy as np

from equipoise.errors import DataError

from .cells import find
from .rows import Rows
from .sources import SPLITS


def position(key: str, purpose: str) -> float:
    """Return a number in [0, 1) that depends on the key and the purpose alone."""
    digest = blake2b(key.encode(), digest_size=8, person=purpose.encode()).digest()
    # 53 bits, which a float holds exactly: more could round up to 1.
    return (int.from_bytes(digest) >> 11) / 2**53


def split_rows(given: dict[str, Rows], shares: tuple[float, float, float]) -> dict[str, Rows]:
    """Take the missing splits out of train by hash.

    Each training row has a position in [0, 1) by the hash of its group, or of its normalised text where it
    has no group. The last parts of that interval belong to dev and test, whichever of them is missing; the
    rest stays in train. So a row's split depends on nothing but its own key, and giving a test file leaves
    dev as it was (our design).

    Args:
        given: checked rows of the splits there are, train at least.
        shares: shares of train, dev and test.
    """
    train = given["train"]
    if len(given) == len(SPLITS):
        return dict(given)
    groups = train.columns.get("group", repeat(None, len(train)))
    keys = (keys[0] if group is None else group for group, keys in zip(groups, train.columns["keys"], strict=True))
    places = np.fromiter((position(key, "split") for key in keys), dtype=np.float64, count=len(train))
    # 0 is train, 1 is dev, 2 is test.
    numbers = (places >= shares[0]).astype(np.int8) + (places >= shares[0] + shares[1])
    for number, split in enumerate(SPLITS):
        if split in given:
            numbers[numbers == number] = 0
    carved = {split: train.take(np.flatnonzero(numbers == number)) for number, split in enumerate(SPLITS)}
    return {**carved, **{split: rows for split, rows in given.items() if split != "train"}}


def separate(sources: dict[str, dict[str, Rows]], notes: list[str]) -> None:
    """Drop the rows whose text stands in a later split of any source: test wins over dev, dev over train.

    The same goes for the rows whose group stands in a later split of their own source.

    Args:
        sources: rows by source and split, changed in place; a source may have no dev and test.
        notes: how many rows were dropped is added here.

    Raises:
        DataError: a split has no row left.
    """
    foreign: set[Any] = set()
    for split, after, later in (("dev", "test", "test"), ("train", "dev", "dev or test")):
        for name, splits in sources.items():
            if after in splits:
                foreign.update(key for keys in _keys(name, splits[after]) for key in keys)
        for name, splits in sources.items():
            if split not in splits:
                continue
            rows = splits[split]
            kept = find((foreign.isdisjoint(keys) for keys in _keys(name, rows)), len(rows))
            if not len(kept):
                raise DataError(
                    f"source '{name}': {split} is empty: found {len(rows)} rows in {rows.file}, but all of their "
                    f"texts (or groups) stand in {later}, too; expected some of its own. Give other rows."
                )
            if len(kept) < len(rows):
                splits[split] = rows.take(kept)
                notes.append(
                    f"Source '{name}', {split}: rows dropped because their text or group stands in {later}: "
                    f"{len(rows) - len(kept)}."
                )


def _keys(source: str, rows: Rows) -> Iterator[tuple[Any, ...]]:
    """Yield what a row must not have in common with another split: its texts, and its group if any."""
    groups = rows.columns.get("group", repeat(None, len(rows)))
    for keys, group in zip(rows.columns["keys"], groups, strict=True):
        texts = filter(None, keys)
        yield (*texts,) if group is None else (*texts, (source, group))


def choose(rows: Rows, limit: int) -> Rows:
    """Return at most `limit` rows, chosen by the hash of their text, in their order."""
    positions = (position("\n".join(keys), "limit") for keys in rows.columns["keys"])
    by_hash = np.argsort(np.fromiter(positions, dtype=np.float64, count=len(rows)), kind="stable")
    return rows.take(np.sort(by_hash[:limit]))
