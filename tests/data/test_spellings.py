"""One thing in two spellings is one thing: classes, labels, groups, subsets, texts; what only looks alike is told."""

import json

import pytest

from data_cases import LABEL
from equipoise.config import make_config
from equipoise.data import load_table
from equipoise.data.spellings import unify
from equipoise.errors import UsageError

MANY = {"source": "s", "kind": "multilabel"}


def rows(labels, **more):
    return [{"text": f"text {i}", "label": label, **more} for i, label in enumerate(labels)]


def told(table):
    return [note for note in table.notes if "spellings that are read" in note or "look alike" in note]


def load_labels(load, three, labels, task=LABEL, **options):
    plain = sorted({label for label in labels if isinstance(label, str)}) if isinstance(labels[0], str) else labels
    dev, test = ([{"text": f"{split} {i}", "label": label} for i, label in enumerate(plain)] for split in ("d", "t"))
    return load({"s": three(train=rows(labels), dev=dev, test=test)}, {"t": task}, **options)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["n\u00e9gatif", "ne\u0301gatif", "n\u00e9gatif\u200b", "b"], ("b", "n\u00e9gatif")),
        (["1", "\uff11", "2"], ("1", "2")),
        (["0.0", "0", "1", "1.00"], ("0", "1")),
        (["1", "1.0", "good"], ("1", "good")),
        (["very good", "very\u00a0good", "bad"], ("bad", "very good")),
        (["po\u00adsitive", "\ufeffnegative"], ("negative", "positive")),
        (["👩\u200d💻", "👩💻", "x"], ("x", "👩💻")),
    ],
)
def test_spellings_of_a_class_are_one_class(load, three, labels, classes):
    table = load_labels(load, three, labels)
    assert table.tasks["t"].classes == classes
    (note,) = told(table)
    assert note.startswith("Task 't': spellings that are read as one class: '")
    assert table.counts()["train"]["labels"]["t"] == len(labels)
    many = load_labels(load, three, [[label] for label in labels], MANY)
    assert many.tasks["t"].classes == classes
    (note,) = told(many)
    assert note.startswith("Task 't': spellings that are read as one label: '")


QUADS = {"source": "s", "kind": "quads"}


def quad(category, polarity="p"):
    return [{"category": category, "term": None, "opinion": None, "polarity": polarity}]


def quad_splits(three, labels):
    dev, test = ([{"text": split, "label": labels[0]}] for split in ("dev", "test"))
    return three(train=rows(labels), dev=dev, test=test)


def test_spellings_of_a_category_are_one_category(load, three):
    labels = [quad("food  quality"), quad("food quality"), quad("Food quality"), quad("drinks")]
    splits = quad_splits(three, labels)
    table = load({"s": splits}, {"t": QUADS})
    assert table.tasks["t"].categories == ("Food quality", "drinks", "food quality")
    joined, twins = told(table)
    assert joined.startswith("Task 't': spellings that are read as one category: 'food quality' (")
    assert twins.startswith("Task 't': categories that look alike and are kept apart: 'Food quality' and 'food qu")
    listed = {**QUADS, "categories": ["drinks", "food quality", "Food quality"]}
    assert load({"s": splits}, {"t": listed}).tasks["t"].categories == ("drinks", "food quality", "Food quality")


def test_twins_among_polarities_and_categories_are_named_in_plain_words(load, three):
    labels = [quad("a/b", "Good"), quad("a", "good")]
    table = load({"s": quad_splits(three, labels)}, {"t": QUADS})
    (twins,) = told(table)
    assert twins.startswith("Task 't': polarities that look alike")
    # Only labels of multilabel tasks can have a separator between them.
    assert not any("separator" in note for note in table.notes)


@pytest.mark.parametrize(
    ("categories", "expected"),
    [
        (["a", "a"], "'categories' is ['a', 'a'], expected one or more different names"),
        (["a b", " \u200b"], "tasks.t.categories: found ' \\u200b', expected names."),
        (["a b", "a  b"], "found the categories 'a b' and 'a  b', which are one category in two spellings"),
    ],
)
def test_a_category_is_listed_once(load, three, categories, expected):
    splits = quad_splits(three, [quad("a b")])
    with pytest.raises(UsageError) as error:
        load({"s": splits}, {"t": {**QUADS, "categories": categories}})
    assert expected in str(error.value)


@pytest.mark.parametrize(
    "labels", [["a", "b"], ["1", "2"], ["0.0", "1.0"], ["1.1", "1.2"], ["007", "008"], ["n\u00e9", "b"]]
)
def test_plain_classes_stay_as_they_are_and_nothing_is_told(load, three, labels):
    table = load_labels(load, three, labels)
    assert table.tasks["t"].classes == tuple(labels) if labels[0] != "n\u00e9" else ("b", "n\u00e9")
    assert told(table) == []


def test_a_name_keeps_the_joiners_that_it_needs(load, three):
    table = load_labels(load, three, ["👩\u200d💻", "می\u200cخواهم"])
    assert set(table.tasks["t"].classes) == {"👩\u200d💻", "می\u200cخواهم"}
    assert told(table) == []


@pytest.mark.parametrize(
    ("labels", "names", "proposed"),
    [
        (["Positive", "positive", "b"], "'Positive' and 'positive'", '"positive": "Positive"'),
        (["positive", "p\u043esitive", "b"], "'positive' and 'p\\u043esitive'", r'"p\u043esitive": "positive"'),
        (["1.1", "1.10", "2"], "'1.1' and '1.10'", '"1.1": "1.10"'),
        (["True", "true", "b"], "'True' and 'true'", '"true": "True"'),
        (["not offensive", "not_offensive", "b"], "'not offensive' and 'not_offensive'", '"not_offensive": "not off'),
    ],
)
def test_classes_that_look_alike_are_kept_apart_and_told(load, three, labels, names, proposed):
    table = load_labels(load, three, labels)
    assert len(table.tasks["t"].classes) == 3
    (note,) = told(table)
    assert note.startswith(
        f"Task 't': classes that look alike and are kept apart: {names}. If they mean the same, say so in the run "
        f"file: map: {{{proposed}"
    )


def test_what_spelling_was_found_how_often_is_told(load, three):
    table = load_labels(load, three, ["0", "0", "0.0", "1"])
    assert told(table) == ["Task 't': spellings that are read as one class: '0' ('0' 4 times, '0.0' 3 times)."]


def test_labels_of_repeated_texts_are_compared_by_their_class(load, three):
    train = [{"text": "x", "label": "1"}, {"text": "x\u00a0", "label": "1.0"}, {"text": "y", "label": "0"}]
    table = load({"s": three(train=train, dev=rows(["1"]), test=[{"text": "z", "label": "0"}])}, {"t": LABEL})
    assert table.splits["train"]["text"][:] == ["x", "y"]
    assert table.labels("t", "train").tolist() == [1, 0]
    assert not [note for note in table.notes if "differed" in note]


def test_listed_classes_are_found_in_any_spelling(load, three):
    task = LABEL | {"classes": ["n\u00e9gatif ", "1"]}
    table = load_labels(load, three, ["ne\u0301gatif", "1.0", "1"], task)
    assert table.tasks["t"].classes == ("n\u00e9gatif", "1")
    assert table.labels("t", "train").tolist() == [0, 1, 1]
    fitted = load_labels(load, three, ["\u200bne\u0301gatif", "1.00"], LABEL, fitted=table.tasks)
    assert fitted.labels("t", "train").tolist() == [0, 1]


@pytest.mark.parametrize("classes", [["1", "1.0"], ["a", "a\u200b"], ["n\u00e9", "ne\u0301"]])
def test_a_class_is_listed_once(load, three, classes):
    with pytest.raises(UsageError, match=r"tasks.t: found the classes .* which are one class in two spellings"):
        load({"s": three()}, {"t": LABEL | {"classes": classes}})


def test_groups_in_two_spellings_are_one_group(load, write):
    authors = ["anna", "anna ", "Bj\u00f6rn", "Bjo\u0308rn", 1, 1.0, "1.0", "c\u200b", "c", *"defghijkl"]
    data = [
        {"text": f"{place}: {i}", "label": "ab"[i % 2], "author": author, "at": place}
        for place, author in enumerate(authors)
        for i in range(8)
    ]
    write("a.jsonl", data)
    table = load({"s": {"path": "a.jsonl", "group": "author", "split": [0.4, 0.3, 0.3]}}, {"t": LABEL})
    split_of = {text: split for split, part in table.splits.items() for text in part["text"]}
    where = [{split_of[row["text"]] for row in data if row["at"] == place} for place in range(len(authors))]
    assert all(len(splits) == 1 for splits in where)
    assert where[0] == where[1]
    assert where[2] == where[3]
    assert where[4] == where[5] == where[6]
    assert where[7] == where[8]
    (note,) = told(table)
    assert note.startswith("Source 's', group column 'author': spellings that are read as one value: ")
    assert "'anna' ('anna' 8 times, 'anna ' 8 times)" in note


def test_a_group_of_blanks_is_no_group_and_groups_that_differ_in_case_are_told(load, three):
    def row(text, author):
        return {"text": text, "label": "ab"[len(text) % 2], "author": author}

    source = three(train=[row("1", " "), row("12", "Anna")], dev=[row("3", "anna")], test=[row("4", "\u200b")])
    table = load({"s": source | {"group": "author"}}, {"t": LABEL})
    assert len(table.splits["train"]) == 2
    assert told(table) == [
        "Source 's', group column 'author': values that look alike and are kept apart: 'Anna' and 'anna'. If they mean "
        "the same, spell them alike."
    ]


def test_subsets_in_two_spellings_are_one_subset(load, three):
    def split(*words):
        return [{"text": f"{words} {i}", "label": "ab"[i % 2], "domain": word} for i, word in enumerate(words)]

    source = three(train=split("news", "news ", "1"), dev=split("n\u200bews"), test=split("\uff4eews", "1.0", " "))
    table = load({"s": source | {"subsets": ["domain"]}}, {"t": LABEL})
    assert table.splits["train"]["subset:domain"][:] == ["news", "news", "1"]
    assert table.splits["test"]["subset:domain"][:] == ["news", "1", None]
    assert any(note.startswith("Subset column 'domain': spellings") for note in table.notes)


def test_no_text_stands_in_two_splits_in_whatever_spelling(load, three):
    def row(text, label="a"):
        return {"text": text, "label": label}

    spellings = ["one caf\u00e9", "ONE cafe\u0301", "one\u00a0caf\u00e9\u200b", "one\u3000ca\u00adf\u00e9"]
    train = [*map(row, spellings), row("other"), row("more", "b")]
    table = load({"s": three(train=train, dev=[row("x")], test=[row("\ufeffone caf\u00e9")])}, {"t": LABEL})
    assert table.splits["train"]["text"][:] == ["other", "more"]


def test_split_files_are_found_in_any_spelling(load, write):
    for name in ("Train", "\uff36alid", "TEST"):
        write(f"f/{name}.jsonl", [{"text": f"{name} {i}", "label": "ab"[i]} for i in range(2)])
    assert load({"s": {"path": "f"}}, {"t": LABEL}).counts()["dev"]["rows"] == 2


def test_a_column_that_is_spelled_with_invisible_characters_is_shown(load, write):
    write("a.csv", "text,la\u00adbel \none,a\ntwo,b\n")
    with pytest.raises(Exception, match=r"The column 'la\\xadbel ' is spelled like it but for whitespace or invisible"):
        load({"s": {"path": "a.csv"}}, {"t": LABEL})


@pytest.mark.parametrize(
    ("labels", "told_of"),
    [
        (["joy;fear", "joy", "fear"], "with ';' between them, but are read as one: 'joy;fear'. "),
        (["joy|fear", "joy|fun", "fear"], "with '|' between them, but are read as one: 'joy|fear'; 'joy|fun'. "),
        (["n/a", "joy", "c++"], None),
    ],
)
def test_another_separator_between_labels_is_told(load, three, labels, told_of):
    notes = load_labels(load, three, labels, MANY).notes
    assert len([note for note in notes if "seem to be several" in note]) == (told_of is not None)
    assert told_of is None or any(told_of in note for note in notes)


def test_unify():
    assert unify(["a", "a ", "b"]) == {"a": "a", "a ": "a", "b": "b"}
    assert unify(["1.0", "2.0"]) == {"1.0": "1.0", "2.0": "2.0"}
    assert unify(["1.0", "1.00"]) == {"1.0": "1", "1.00": "1"}
    assert unify(["1", "x "], known=["1.0", "x"]) == {"1": "1.0", "x ": "x"}


def test_words_for_no_value_are_told_but_stay_classes(tmp_path):
    lines = [f"text number {i},{('good', 'bad', 'N/A')[i % 3]}" for i in range(60)]
    (tmp_path / "r.csv").write_text("text,label\n" + "\n".join(lines) + "\n")
    table = load_table(make_config(source_of(tmp_path / "r.csv")))
    assert table.tasks["tone"].classes == ("N/A", "bad", "good")
    assert any("'N/A' counted as a class like any other" in note for note in table.notes)


def test_columns_that_look_alike_in_other_rows_are_told(tmp_path):
    rows = [{"text": f"text number {i}", ("label", "Label")[i % 2]: ("good", "bad")[i // 2 % 2]} for i in range(80)]
    (tmp_path / "r.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    table = load_table(make_config(source_of(tmp_path / "r.jsonl")))
    assert any("column 'Label' looks like 'label', and is not read" in note for note in table.notes)


def source_of(path):
    return {
        "sources": {"s": {"path": str(path)}},
        "tasks": {"tone": {"source": "s", "kind": "classification", "label": "label"}},
        "output": str(path.parent / "run"),
    }
