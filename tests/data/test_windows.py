"""Texts that are too long, in windows."""

from collections import Counter
from itertools import pairwise

import datasets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, ByT5Tokenizer

from equipoise.data import MixedLengthSampler, WindowSampler, find_owners, group_windows, split_windows, tokenize
from equipoise.errors import ModelError, UsageError
from made_tokenizers import byte_level, pieces

NAMES = ("word pieces", "cut from the left", "byte level", "pieces")
WORDS = st.sampled_from(["good", "bad", "naïve", "film,", "l'été", "7/10", "良い映画", "a", "\n", ":-)", "👩‍🚀"])


@pytest.fixture(scope="module")
def tokenizers(tiny_model):
    return {
        "word pieces": AutoTokenizer.from_pretrained(tiny_model),
        "cut from the left": AutoTokenizer.from_pretrained(tiny_model, truncation_side="left"),
        "byte level": byte_level(),
        "pieces": pieces(),
    }


def table(texts, pairs=None):
    return datasets.Dataset.from_dict(
        {"text": texts, "pair": pairs or [None] * len(texts), "label:t": list(range(len(texts)))}
    )


@given(tokens=st.integers(0, 300), size=st.integers(1, 60), from_end=st.booleans())
def test_windows_cover_a_text_and_overlap_by_a_quarter(tokens, size, from_end):
    spans = split_windows(tokens, size, from_end=from_end)
    if tokens <= size:
        assert spans == [(0, tokens)]
        return
    assert spans[0] == ((tokens - size, tokens) if from_end else (0, size))
    assert all(end - start == size for start, end in spans)
    assert {token for start, end in spans for token in range(start, end)} == set(range(tokens))
    shared = [size - abs(other[0] - one[0]) for one, other in pairwise(spans)]
    assert set(shared[:-1]) <= {size // 4}
    # The last window is as long as the others, and there is none too many.
    assert size // 4 <= shared[-1] < size


@pytest.mark.parametrize(
    ("tokens", "size", "expected"),
    [
        (10, 8, [(0, 8), (2, 10)]),
        (20, 8, [(0, 8), (6, 14), (12, 20)]),
        (21, 8, [(0, 8), (6, 14), (12, 20), (13, 21)]),
        (3, 1, [(0, 1), (1, 2), (2, 3)]),
    ],
)
def test_pinned_windows(tokens, size, expected):
    assert split_windows(tokens, size) == expected


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15)
@given(
    rows=st.lists(st.tuples(st.lists(WORDS, max_size=60).map(" ".join), st.none() | WORDS), min_size=1, max_size=6),
    length=st.integers(25, 60),
)
def test_windows_hold_all_tokens_and_begin_with_what_is_left_of_a_cut_text(tokenizers, name, rows, length):
    texts, pairs = map(list, zip(*rows, strict=True))
    cut, count = tokenize(table(texts, pairs), tokenizers[name], length, offsets=True)
    read, also = tokenize(table(texts, pairs), tokenizers[name], length, offsets=True, windows=True)
    assert count == also
    assert read.select(range(len(rows))).remove_columns("window").to_list() == cut.to_list()
    found: list = [[] for _ in rows]
    for row in read:
        found[row["index"]].append(row)
    for text, pair, windows in zip(texts, pairs, found, strict=True):
        assert [row["window"] for row in windows] == list(range(len(windows)))
        assert [row["text"] for row in windows] == [text] + [None] * (len(windows) - 1)
        assert len({(row["label:t"], row["length"]) for row in windows}) == 1
        whole = tokenizers[name](text, add_special_tokens=False)["input_ids"]
        second = [] if pair is None else tokenizers[name](pair, add_special_tokens=False)["input_ids"]
        own = [row["input_ids"][row["text_start"] :][: len(row["offsets"]) // 2] for row in windows]
        spans = split_windows(len(whole), len(own[0]), from_end=name == "cut from the left") if own[0] else [(0, 0)]
        assert own == [whole[start:end] for start, end in spans]
        everywhere, _ = tokenize(table([text], [pair]), tokenizers[name], 10_000, offsets=True)
        for row, (start, end) in zip(windows, spans, strict=True):
            assert row["offsets"] == everywhere[0]["offsets"][2 * start : 2 * end]
            assert all(token in row["input_ids"] for token in second)
            assert len(row["input_ids"]) <= length


def test_texts_that_fit_have_one_window(tokenizers):
    rows, count = tokenize(table(["good film", "bad"]), tokenizers["word pieces"], 16, windows=True)
    assert (len(rows), count, rows["window"][:]) == (2, 0, [0, 0])
    assert group_windows(rows) == {}
    rows, count = tokenize(table([]), tokenizers["word pieces"], 16, windows=True)
    assert (len(rows), count) == (0, 0)


def test_further_windows_stand_behind_all_rows_and_know_theirs(tokenizers):
    rows, count = tokenize(table(["good " * 20, "bad", "film " * 9]), tokenizers["word pieces"], 10, windows=True)
    assert count == 2
    assert list(zip(rows["index"], rows["window"], strict=True)) == [(0, 0), (1, 0), (2, 0), (0, 1), (0, 2), (2, 1)]
    assert find_owners(rows).tolist() == [0, 1, 2, 0, 0, 2]
    assert group_windows(rows) == {0: [0, 3, 4], 2: [2, 5]}
    assert rows["label:t"][:] == rows["index"][:]
    some = rows.select([2, 0])
    assert find_owners(some).tolist() == [0, 1]


def test_a_window_without_room_for_the_text_is_refused(tokenizers):
    message = r"max_length: found 10, of which the special tokens and the pair 'bad bad .*' take 11.* 12 or more"
    with pytest.raises(UsageError, match=message):
        tokenize(table(["good " * 20], ["bad " * 8]), tokenizers["word pieces"], 10, windows=True)
    # A row that fits needs no windows, and one token of room is enough.
    assert len(tokenize(table(["good"], ["bad " * 6]), tokenizers["word pieces"], 10, windows=True)[0]) == 1
    assert len(tokenize(table(["good " * 5], ["bad " * 6]), tokenizers["word pieces"], 10, windows=True)[0]) == 5


def test_a_tokenizer_that_does_not_tell_how_it_joins_texts_is_refused():
    with pytest.raises(ModelError, match=r"long_texts: .*ByT5Tokenizer.* set long_texts: cut"):
        tokenize(table(["good film " * 5]), ByT5Tokenizer(), 10, windows=True)
    assert len(tokenize(table(["good"]), ByT5Tokenizer(), 10, windows=True)[0]) == 1


WINDOWS = {3: [3, 20, 21, 22], 7: [7, 23]}


def sampler(epoch, seed=0, windows=WINDOWS):
    rows = WindowSampler(MixedLengthSampler([5] * 20, ["a"] * 10 + ["b"] * 10, 4, 0.5, seed), windows, seed)
    rows.set_epoch(epoch)
    return rows


@given(epoch=st.integers(0, 20), seed=st.integers(0, 5))
def test_an_epoch_reads_one_window_of_each_row_it_draws(epoch, seed):
    owner = {window: row for row, windows in WINDOWS.items() for window in windows}
    rows = MixedLengthSampler([5] * 20, ["a"] * 10 + ["b"] * 10, 4, 0.5, seed)
    rows.set_epoch(epoch)
    drawn = list(sampler(epoch, seed))
    assert [owner.get(row, row) for row in drawn] == list(rows)
    assert drawn == list(sampler(epoch, seed))
    assert len(sampler(epoch, seed)) == len(drawn)


@given(seed=st.integers(0, 5), first=st.integers(0, 9))
def test_a_text_is_read_whole_in_as_many_epochs_as_it_has_windows(seed, first):
    read = Counter(row for epoch in range(first, first + 4) for row in sampler(epoch, seed))
    assert [read[window] for window in WINDOWS[3]] == [1] * 4
    assert [read[window] for window in WINDOWS[7]] == [2] * 2


def test_the_window_depends_on_seed_epoch_and_row_only():
    def chosen(seed=0, **windows):
        drawn = [list(sampler(epoch, seed, **windows)) for epoch in range(8)]
        return [next(row for row in rows if row in WINDOWS[3]) for rows in drawn]

    assert chosen() == chosen()[:4] * 2 == chosen(windows={3: WINDOWS[3]})
    assert len({tuple(chosen(seed)) for seed in range(6)}) > 2
