"""Near duplicates: those of an exhaustive search, and those of datasketch."""

import random

import pytest
import xxhash
from datasketch import MinHash, MinHashLSH

from equipoise.auditing import near
from equipoise.auditing.near import _compare, _shingle, _sign, _Text
from plants import write_sentence


@pytest.fixture(scope="module")
def texts():
    """Texts, and others that are made of them by changing some words."""
    draw = random.Random(0)
    ones = [write_sentence(draw) for _ in range(300)]
    others = []
    for text in ones:
        words = text.split()
        for _ in range(draw.choice([0, 1, 1, 2, 4, 8])):
            words[draw.randrange(len(words))] = "changed"
        others.append(" ".join(words))
    draw.shuffle(others)
    return [[_Text(None, index, text) for index, text in enumerate(side)] for side in (ones, others)]


def similarity(one, other):
    words, others = _shingle(one.key), _shingle(other.key)
    return len(words & others) / len(words | others)


def test_the_pairs_are_those_of_an_exhaustive_search(texts):
    ones, others = texts
    expected = set()
    for one in ones:
        similar = [other.row for other in others if similarity(one, other) >= near.SIMILAR]
        expected |= {(one.row, min(similar))} if similar else set()
    found = {(one.row, other.row) for one, other in _compare(*_sign(ones), *_sign(others))}
    assert 50 < len(expected) < 250
    assert found <= expected
    assert len(found) >= 0.99 * len(expected)


def test_datasketch_finds_no_others(texts):
    ones, others = texts
    index = MinHashLSH(num_perm=52, params=near._BANDS)
    hashed = {"num_perm": 52, "hashfunc": xxhash.xxh32_intdigest}
    for number, sketch in enumerate(
        MinHash.bulk([[word.encode() for word in _shingle(o.key)] for o in others], **hashed)
    ):
        index.insert(number, sketch)
    pairs = set()
    for one in ones:
        sketch = MinHash(**hashed)
        sketch.update_batch([word.encode() for word in _shingle(one.key)])
        similar = [number for number in index.query(sketch) if similarity(one, others[number]) >= near.SIMILAR]
        pairs |= {(one.row, min(similar))} if similar else set()
    found = {(one.row, other.row) for one, other in _compare(*_sign(ones), *_sign(others))}
    assert len(found ^ pairs) <= 0.02 * len(pairs)


def test_short_texts_are_near_to_none(texts):
    short = [_Text(None, 0, "so good"), _Text(None, 1, "!!!"), _Text(None, 2, "")]
    assert _sign(short)[0] == []
