"""What the keys of a source say of its cells: `decimal`, `na`, `map`, `clean`, and the notes and hints about them."""

import pytest

from equipoise.config import SourceConfig, dump_config, make_config, parse_yaml
from equipoise.data import clean_html, read_source
from equipoise.data.spellings import propose_map
from equipoise.errors import DataError, UsageError

SCORE = {"source": "s", "kind": "regression", "label": "score", "range": [-2, 2]}
LABEL = {"source": "s", "kind": "classification", "label": "label"}


@pytest.fixture
def messy(write):
    """A semicolon export in cp1252, with spellings, decimal commas, entities and words for nothing."""
    labels, scores = ["POS", "neg", "positive", "negative", "-"], ["1,5", "-0,25", "2", "n/a", "0,5"]
    lines = [f'"“{n}” größer &amp; <br>mehr";{labels[n % 5]};{scores[n % 5]}\n' for n in range(60)]
    write("a.csv", ("text;label;score\n" + "".join(lines)).encode("cp1252"))
    return {"path": "a.csv", "encoding": "cp1252", "sep": ";"}


def test_a_messy_file_is_read_without_editing_it(messy, load):
    keys = {"decimal": ",", "na": ["n/a", "-"], "clean": "html", "map": {"POS": "positive", "neg": "negative"}}
    table = load({"s": messy | keys}, {"score": SCORE, "label": LABEL})
    assert table.tasks["label"].class_names == ("negative", "positive")
    rows = {row["text"]: row for split in table.splits.values() for row in split}
    assert len(rows) == 60
    first, second, fourth = (rows[f"“{n}” größer & \nmehr"] for n in (0, 1, 3))
    assert (first["label:score"], first["label:label"]) == (1.5, 1)
    assert (second["label:score"], second["label:label"]) == (-0.25, 0)
    assert (fourth["label:score"], fourth["label:label"]) == (None, 0)
    notes = [note for note in table.notes if note.startswith("Source 's':")]
    assert notes[:4] == [
        "Source 's': its files are read with encoding 'cp1252', sep ';', decimal ','.",
        "Source 's': cells that mean nothing (na): '-' 12 times, 'n/a' 12 times.",
        "Source 's': texts that had tags or entities of HTML, which were taken out: 60.",
        "Source 's': labels that are spelled otherwise (map): 'POS' is 'positive' 12 times, "
        "'neg' is 'negative' 12 times.",
    ]


def test_texts_of_which_blanks_alone_were_taken_are_not_counted_as_html(write, load):
    lines = [f'" text {n} {"&amp;" if n % 6 == 0 else "and"} more ",{n % 2}\n' for n in range(60)]
    write("a.csv", "text,label\n" + "".join(lines))
    notes = load({"s": {"path": "a.csv", "clean": "html"}}, {"label": LABEL | {"classes": ["0", "1"]}}).notes
    assert "Source 's': texts that had tags or entities of HTML, which were taken out: 10." in notes


def test_without_keys_nothing_is_noted_and_the_default_is_strict(three, load):
    table = load({"s": three()}, {"score": SCORE, "label": LABEL})
    assert not [note for note in table.notes if note.startswith("Source 's':")]


def test_each_error_proposes_the_key(messy, load):
    tasks = {"score": SCORE, "label": LABEL}
    for keys, phrase in (
        ({"encoding": None, "sep": None}, "encoding: cp1252 in the run file"),
        ({"sep": None}, 'sep: ";" in the run file'),
        ({}, r'decimal: ",".*na: \[\'n/a\'\]'),
    ):
        with pytest.raises(DataError, match=f"(?s){phrase}"):
            load({"s": messy | keys}, tasks)
    table = load({"s": messy | {"decimal": ",", "na": "n/a"}}, tasks)
    notes = "\n".join(table.notes)
    assert 'say so in the run file: map: {"POS": "positive", "neg": "negative"}' in notes
    assert 'If it means that there is no label, say so in the run file: na: ["-"]' in notes


@pytest.mark.parametrize(
    ("cell", "number"),
    [("1,5", 1.5), ("-0,25", -0.25), ("2", 2), (",5", 0.5), ("1,", 1), ("１,5", 1.5), ("1,5e0", 1.5), (" 1,5 ", 1.5)],
)
def test_decimal_commas(write, load, cell, number):
    lines = [f"text {n}\t{cell if n % 2 else '0'}\n" for n in range(40)]
    write("a.tsv", "text\tscore\n" + "".join(lines))
    table = load({"s": {"path": "a.tsv", "decimal": ","}}, {"score": SCORE})
    assert set(table.labels("score", "train").tolist()) == {0.0, number}


@pytest.mark.parametrize("cell", ["1.234,5", "1.5", "1 234,5", "1'234,5", "1,2,3"])
def test_thousands_are_refused(write, load, cell):
    write("a.csv", f'text,score\nx,"{cell}"\ny,"1,0"\n')
    with pytest.raises(
        DataError, match=r"line 2.*expected a number with ',' before its decimals \(decimal\) and nothing"
    ):
        load({"s": {"path": "a.csv", "decimal": ","}}, {"score": SCORE})


def test_decimals_are_of_scores_only(write, load):
    write("a.csv", "text,label,score\n" + "".join(f'"a 1,{n}","1,{n % 2}","0,{n % 3}"\n' for n in range(40)))
    cut = {"source": "s", "kind": "classification", "label": "score"}
    cut |= {"from_score": {"classes": ["low", "high"], "thresholds": [0.05]}}
    table = load({"s": {"path": "a.csv", "decimal": ","}}, {"label": LABEL, "cut": cut})
    assert table.tasks["label"].class_names == ("1,0", "1,1")
    assert table.splits["train"]["text"][0].startswith("a 1,")
    assert set(table.labels("cut", "train").tolist()) == {0, 1}


def test_numbers_can_mean_nothing_and_texts_may(write, load):
    rows = [
        {"text": f"text {n}", "score": -1 if n % 3 else n / 40, "label": ["a", "b", "-1"][n % 3]} for n in range(40)
    ]
    write("a.jsonl", rows)
    table = load({"s": {"path": "a.jsonl", "na": [-1]}}, {"score": SCORE, "label": LABEL})
    assert table.labels("score", "train").min() >= 0
    assert table.tasks["label"].class_names == ("a", "b")


def test_map_by_column_and_in_lists(write, load):
    rows = [
        {"text": f"text {n}", "label": ["P", "N", "positive"][n % 3], "other": ["P", "Q"][n % 2],
         "emotions": [["JOY", "fear"], ["Fear"], []][n % 3], "stars": ["one", "2", 3][n % 3]}
        for n in range(60)
    ]  # fmt: skip
    write("a.jsonl", rows)
    names = {
        "label": {"P": "positive", "N": "negative"},
        "emotions": {"JOY": "joy", "Fear": "fear"},
        "stars": {"one": 1},
    }
    tasks = {
        "label": LABEL | {"classes": ["negative", "positive"]},
        "other": LABEL | {"label": "other"},
        "emotions": {"source": "s", "kind": "multilabel", "label": "emotions", "classes": ["joy", "fear"]},
        "stars": {"source": "s", "kind": "regression", "label": "stars"},
    }
    table = load({"s": {"path": "a.jsonl", "map": names}}, tasks)
    assert table.tasks["other"].class_names == ("P", "Q")
    by_text = {row["text"]: row for split in table.splits.values() for row in split}
    assert [by_text[f"text {n}"]["label:label"] for n in range(3)] == [1, 0, 1]
    assert [by_text[f"text {n}"]["label:emotions"] for n in range(3)] == [[1, 1], [0, 1], [0, 0]]
    assert [by_text[f"text {n}"]["label:stars"] for n in range(3)] == [1, 2, 3]


def test_a_swap_is_made_once_and_spellings_are_compared_as_names_are(write, load):
    write("a.csv", "text,label\n" + "".join(f"t {n},{['a', 'b', '1.0 '][n % 3]}\n" for n in range(30)))
    table = load({"s": {"path": "a.csv", "map": {"a": "b", "b": "a", "1": "c"}}}, {"label": LABEL})
    by_text = {row["text"]: row["label:label"] for split in table.splits.values() for row in split}
    assert [by_text[f"t {n}"] for n in range(3)] == [1, 0, 2]


def test_map_of_columns_that_say_yes_and_no(write, load):
    write("a.csv", "text,joy,fear\n" + "".join(f"t {n},{'ja' if n % 2 else 'nein'},{n % 3 % 2}\n" for n in range(40)))
    task = {"source": "s", "kind": "multilabel", "label": ["joy", "fear"]}
    table = load({"s": {"path": "a.csv", "map": {"joy": {"ja": 1, "nein": 0}}}}, {"e": task})
    by_text = {row["text"]: row["label:e"] for split in table.splits.values() for row in split}
    assert [by_text[f"t {n}"] for n in range(3)] == [[0, 0], [1, 1], [0, 0]]


def test_a_class_that_train_does_not_have_may_be_another_spelling(three, load):
    train = [{"text": f"text {i}", "score": i, "label": ["0.0", "1.0", "neg", "pos"][i % 4]} for i in range(8)]
    source = three(train=train, dev=[{"text": "d", "label": "negative"}], test=[{"text": "e", "label": "Pos"}])
    with pytest.raises(DataError, match=r'map: \{"negative": "neg"\}'):
        load({"s": source}, {"label": LABEL})


@pytest.mark.parametrize(
    ("counts", "proposed"),
    [
        ({"Positive": 5, "positive": 90, "neg": 30, "negative": 60}, {"Positive": "positive", "neg": "negative"}),
        ({"0": 1, "0.0": 3, "1.0": 3, "neg": 5, "pos": 5}, {"0": "neg", "0.0": "neg", "1.0": "pos"}),
        ({"-1": 1, "0": 1, "1": 1, "neg": 1, "neu": 1, "pos": 2}, {"-1": "neg", "0": "neu", "1": "pos"}),
        ({"P": 1, "N": 1, "positive": 3, "negative": 3, "neutral": 1}, {"P": "positive"}),
        ({"joy": 1, "joyful": 2, "n": 4}, {}),
        ({"1": 1, "2": 1, "3": 1, "positive": 1}, {}),
    ],
)
def test_spellings_of_one_class_are_proposed(counts, proposed):
    assert propose_map(counts) == proposed


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Tom &amp; Jerry&#39;s", "Tom & Jerry's"),
        ("<p>One</p><p>Two<br/>three</p>", "One\n\nTwo\nthree"),
        ("I <3 you, <user> &lt;b&gt; a < b", "I <3 you, <user> <b> a < b"),
        ("<a href=\"x>y\" title='z'>link</a> <B>bold</B>", "link bold"),
        ("<!-- hidden\n<b> -->seen", "seen"),
        ("Q&amp;amp;A &amp;quot;now&amp;#39; a?b=1&amp;copy=2", "Q&A \"now' a?b=1&copy=2"),
        ("<b", "<b"),
        ("plain", "plain"),
    ],
)
def test_html_is_taken_out(text, cleaned):
    assert clean_html(text) == cleaned


@pytest.mark.parametrize(
    ("keys", "phrase"),
    [
        ({"encoding": "cp9999"}, "sources.s.encoding: found 'cp9999', expected the name of a codec"),
        ({"encoding": "utf8\0"}, "expected the name of a codec"),
        ({"encoding": "cp1252x"}, r"Did you mean 'cp1252'\?"),
        ({"encoding": "rot13"}, "which is not how texts are saved"),
        ({"encoding": "unicode_escape"}, "which is not how texts are saved"),
        ({"encoding": "idna"}, "which is not how texts are saved"),
        ({"sep": ";;"}, "sources.s.sep: found ';;', expected one character, or the word tab"),
        ({"sep": ""}, "expected one character"),
        ({"sep": "\n"}, "which no cell can be parted by"),
        ({"sep": "\0"}, "which no cell can be parted by"),
        ({"sep": '"'}, "'sep' and 'quotechar' are both"),
        ({"sep": "|", "quotechar": "|"}, "'sep' and 'quotechar' are both '|'"),
        ({"quotechar": "''"}, "sources.s.quotechar: found \"''\", expected one character, or the word none"),
        ({"decimal": ";"}, "sources.s.decimal: found ';', expected ',' or '.'"),
        ({"clean": "xml"}, "sources.s.clean: found 'xml', expected 'html'"),
        ({"na": [None]}, "sources.s.na.0: found nothing, expected a text"),
        ({"map": ["POS"]}, "sources.s.map: .*expected spellings and what they are read as"),
        ({"map": {"yes": True}}, "YAML takes yes, no, on and off"),
        ({"map": {"a": "b", "c": {"d": "e"}}}, "expected spellings only, or columns only"),
        ({"map": {"POS": "a", "POS ": "b"}}, "which are one, for two names"),
        ({"map": {"": "a"}}, "cells that mean nothing go into 'na'"),
        ({"map": {"c": {"d": {"e": "f"}}}}, "expected a class or a number"),
    ],
)
def test_a_bad_value_of_a_key_is_named(keys, phrase):
    data = {"sources": {"s": {"path": "a.csv"} | keys}, "tasks": {"label": LABEL}, "output": "o"}
    with pytest.raises(UsageError, match=phrase) as caught:
        make_config(data)
    assert "\n" not in str(caught.value)


def test_keys_of_files_go_with_files():
    data = {"sources": {"s": {"starter": "vader", "sep": ";"}}, "tasks": {"label": LABEL}, "output": "o"}
    with pytest.raises(UsageError, match="'sep' goes with 'path' or 'train', found 'starter'"):
        make_config(data)


@pytest.mark.parametrize(
    ("keys", "phrase"),
    [({"sheet": "x"}, "'sheet' goes with .xlsx, found .csv"), ({"map": {"lable": {"a": "b"}}}, "Did you mean 'label'")],
)
def test_keys_that_do_not_fit_the_files_are_refused(write, load, keys, phrase):
    write("a.csv", "text,label\n" + "".join(f"t {n},{'ab'[n % 2]}\n" for n in range(20)))
    with pytest.raises(UsageError, match=phrase):
        load({"s": {"path": "a.csv"} | keys}, {"label": LABEL})


@pytest.mark.parametrize("by_column", [True, False])
def test_map_to_an_unknown_class(write, load, by_column):
    write("a.csv", "text,label\n" + "".join(f"t {n},{'ab'[n % 2]}\n" for n in range(20)))
    spellings = {"label": {"a": "aa"}} if by_column else {"a": "aa"}
    with pytest.raises(UsageError, match=r"sources.s.map: 'a' is read as 'aa', which is no class"):
        load({"s": {"path": "a.csv", "map": spellings}}, {"label": LABEL | {"classes": ["a", "b"]}})


def test_keys_survive_writing_and_reading_the_run_file():
    keys = {"encoding": "windows-1252", "sep": "tab", "quotechar": "none", "decimal": ",", "na": "n/a", "clean": "html"}
    keys |= {"sheet": "S", "map": {"label": {1: "positive"}}}
    data = {"sources": {"s": {"path": "a.csv"} | keys}, "tasks": {"label": LABEL}, "output": "o"}
    config = make_config(data, folder="/")
    again = make_config(parse_yaml(dump_config(config), "it"), folder="/")
    assert again == config
    found = again.sources["s"]
    assert (found.encoding, found.sep, found.quotechar, found.na) == ("cp1252", "\t", "none", ("n/a",))
    assert found.map == {"label": {"1": "positive"}}


def test_files_of_several_formats_take_the_keys_that_they_have(write):
    write("a.csv", "text;label\nx;a\n")
    write("b.jsonl", [{"text": "y", "label": "b"}])
    folder = write("c.csv", "").parent
    source = SourceConfig(path=[folder / "a.csv", folder / "b.jsonl"], sep=";")
    assert [rows.columns for rows in read_source(source)["train"]] == [
        {"text": ["x"], "label": ["a"]},
        {"text": ["y"], "label": ["b"]},
    ]
