import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_cases import LABEL, SCORE
from equipoise.data import Rows
from equipoise.data.splitting import choose, position, separate, split_rows
from equipoise.keys import text_key

SHARES = (0.6, 0.2, 0.2)


def rows(texts, groups=None):
    columns = {"text:text": list(texts), "keys": [(text_key(text),) for text in texts]}
    if groups is not None:
        columns["group"] = groups
    return Rows("file", range(1, len(texts) + 1), columns)


def where(splits):
    return {text: split for split, part in splits.items() for text in part.columns["text:text"]}


def test_positions_are_pinned():
    """A release that changes these moves every user's rows to other splits."""
    assert position("a text", "split") == pytest.approx(0.1074078030765293, abs=1e-15)
    assert position("a text", "limit") == pytest.approx(0.8771898846695423, abs=1e-15)


def test_keys_of_texts():
    assert text_key("  Ｆine,\tSTRASSE \n") == text_key("fine, straße") == "fine, strasse"


@given(
    st.lists(st.text(max_size=5), unique=True, max_size=30), st.lists(st.text(max_size=5), max_size=30), st.randoms()
)
def test_a_row_stays_in_its_split_whatever_comes_beside_it(texts, others, random):
    before = where(split_rows({"train": rows(texts)}, SHARES))
    more = texts + others
    random.shuffle(more)
    after = where(split_rows({"train": rows(more)}, SHARES))
    assert all(after[text] == split for text, split in before.items())


@given(st.lists(st.text(max_size=5), max_size=30))
def test_a_given_test_file_leaves_dev_as_it_was(texts):
    automatic = split_rows({"train": rows(texts)}, SHARES)
    given_test = split_rows({"train": rows(texts), "test": rows(["held out"])}, SHARES)
    assert given_test["dev"].columns == automatic["dev"].columns
    assert given_test["test"].columns["text:text"] == ["held out"]
    assert len(given_test["train"]) == len(automatic["train"]) + len(automatic["test"])


@given(st.lists(st.tuples(st.text(max_size=3), st.sampled_from("abcdefgh") | st.none()), max_size=40))
def test_groups_and_texts_without_a_group_are_never_split(pairs):
    splits = split_rows({"train": rows([text for text, _ in pairs], [group for _, group in pairs])}, SHARES)
    seen = {}
    for split, part in splits.items():
        for (text,), group in zip(part.columns["keys"], part.columns["group"], strict=True):
            key = text if group is None else (group,)
            assert seen.setdefault(key, split) == split


def test_shares_are_met():
    splits = split_rows({"train": rows([f"text {i}" for i in range(5000)])}, (0.8, 0.1, 0.1))
    assert [len(splits[split]) / 5000 for split in ("train", "dev", "test")] == pytest.approx(
        [0.8, 0.1, 0.1], abs=0.015
    )


splits_of_texts = st.fixed_dictionaries(
    {split: st.lists(st.sampled_from("abcdefghijABC"), min_size=0, max_size=6) for split in ("train", "dev", "test")}
)


@given(st.dictionaries(st.sampled_from(["one", "two"]), splits_of_texts, min_size=1))
def test_splits_never_share_a_text(parts):
    # One row of its own in each split, so that no split becomes empty.
    sources = {
        name: {split: rows([*texts, f"own {name} {split}"]) for split, texts in splits.items()}
        for name, splits in parts.items()
    }
    before = {name: len(splits["test"]) for name, splits in sources.items()}
    notes = []
    separate(sources, notes)
    held = {
        split: {keys[0] for splits in sources.values() for keys in splits[split].columns["keys"]}
        for split in ("train", "dev", "test")
    }
    assert not held["train"] & held["dev"]
    assert not held["train"] & held["test"]
    assert not held["dev"] & held["test"]
    assert before == {name: len(splits["test"]) for name, splits in sources.items()}


def test_test_wins_over_dev_and_dev_over_train_across_sources(load, write):
    def row(text):
        return {"text": text, "score": len(text) / 10, "label": "ab"[len(text) % 2]}

    write("a/train.jsonl", [row("x"), row("xx"), row("In  Dev"), row("in test")])
    write("a/dev.jsonl", [row("in dev"), row("IN TEST")])
    write("a/test.jsonl", [row("y")])
    write("b/train.jsonl", [row("z"), row("zz"), row("y")])
    write("b/dev.jsonl", [row("zzz")])
    write("b/test.jsonl", [row("in test")])
    table = load({"s": {"path": "a"}, "b": {"path": "b"}}, {"t": LABEL, "u": SCORE | {"source": "b"}})
    texts = {split: dataset["text"][:] for split, dataset in table.splits.items()}
    assert texts == {"train": ["x", "xx", "z", "zz"], "dev": ["in dev", "zzz"], "test": ["y", "in test"]}
    assert table.notes == [
        "Source 's', dev: rows dropped because their text or group stands in test: 1.",
        "Source 's', train: rows dropped because their text or group stands in dev or test: 2.",
        "Source 'b', train: rows dropped because their text or group stands in dev or test: 1.",
    ]


def test_a_group_is_not_split_between_given_files(load, three):
    def row(text, label, author):
        return {"text": text, "label": label, "author": author}

    source = three(
        train=[row("1", "a", "x"), row("2", "b", "x"), row("3", "b", "y"), row("4", "b", None)],
        dev=[row("5", "a", None)],
        test=[row("6", "a", "y")],
    )
    table = load({"s": source | {"group": "author"}}, {"t": LABEL})
    assert table.splits["train"]["text"][:] == ["1", "2", "4"]


@given(st.lists(st.text(max_size=5), unique_by=text_key, min_size=5, max_size=30), st.text(max_size=5))
def test_a_limit_is_stable(texts, new):
    chosen = choose(rows(texts), 3).columns["text:text"]
    assert chosen == [text for text in texts if text in set(chosen)]
    assert set(choose(rows([new, *reversed(texts)]), 3).columns["text:text"]) <= {*chosen, new}


def test_limit_in_the_run_file(load, three):
    table = load({"s": three() | {"limit": {"train": 3}}}, {"t": SCORE})
    assert table.counts()["train"] == {"rows": 3, "labels": {"t": 3}}
    assert "Source 's', train: 3 of 4 rows are used (limit)." in table.notes


def test_what_was_taken_from_train_is_noted(load, write):
    path = write("a.jsonl", [{"text": f"text {i}", "score": i / 100} for i in range(100)])
    table = load({"s": {"path": "a.jsonl"}}, {"t": SCORE})
    sizes = {split: counts["rows"] for split, counts in table.counts().items()}
    assert sum(sizes.values()) == 100
    listed = ", ".join(f"{split} {rows}" for split, rows in sizes.items())
    assert table.notes == [f"Source 's': dev and test taken from {path} by hash of text: {listed}."]
