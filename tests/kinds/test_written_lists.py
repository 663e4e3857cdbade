"""Lists as a language model writes them, and what is read of them."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.kinds import Extraction, LabelError, Quads, Triplets, Written, get_metric, make_analysis, make_objective
from equipoise.kinds.written_lists import read_list, write_list

TEXT = "The sushi was fresh but the waiter rude ."
POLARITIES = ("negative", "positive")
CATEGORIES = ("food quality", "service general")


def extraction(**options):
    return Extraction("aspects", "s", "text", None, "l", "extraction_f1", **{"format": "prompt", **options})


def triplets(**options):
    return Triplets("opinions", "s", "text", None, "l", "triplet_f1", **{"format": "prompt", **options})


def quads(**options):
    return Quads("opinions", "s", "text", None, "l", "quad_f1", **{"format": "prompt", **options})


TASKS = {
    "extraction": extraction(classes=POLARITIES),
    "terms": extraction(),
    "triplets": triplets(classes=POLARITIES),
    "quads": quads(classes=POLARITIES, categories=CATEGORIES),
}


def encoded(task, cell, text=TEXT):
    return task.encode(task.locate(task.parse(cell), text))


def read(task, answer, text=TEXT, is_complete=True):
    return task.read_written(text, Written(answer, is_complete))


LABELS = [
    ("extraction", [], "none"),
    ("terms", [], "none"),
    ("terms", ["waiter", "sushi"], "sushi ; waiter"),
    (
        "extraction",
        [{"term": "waiter", "polarity": "negative"}, {"term": "sushi", "polarity": "positive"}],
        "sushi | positive ; waiter | negative",
    ),
    (
        "triplets",
        [{"term": "waiter", "opinion": "rude", "polarity": "negative"}],
        "waiter | rude | negative",
    ),
    (
        "quads",
        [
            {"category": "service general", "term": None, "opinion": "rude", "polarity": "negative"},
            {"category": "food quality", "term": "sushi", "opinion": None, "polarity": "positive"},
            {"category": "food quality", "term": None, "opinion": None, "polarity": "negative"},
        ],
        "food quality | sushi | none | positive ; service general | none | rude | negative ; "
        "food quality | none | none | negative",
    ),
]


@pytest.mark.parametrize(("name", "cell", "answer"), LABELS)
def test_labels_are_written_in_the_order_of_the_text_and_read_back(name, cell, answer):
    task = TASKS[name]
    label = encoded(task, cell)
    assert task.correct_answers(label) == [answer]
    assert sorted(json.loads(read(task, answer)), key=str) == sorted(json.loads(label), key=str)
    assert task.answer(read(task, answer)) == json.loads(read(task, answer))


def test_a_term_is_written_once_or_for_each_place_where_its_polarity_differs():
    text = "food , food and food"
    one = encoded(TASKS["extraction"], [{"term": "food", "polarity": "positive"}], text)
    assert TASKS["extraction"].correct_answers(one) == ["food | positive"]
    cell = [{"term": "food", "polarity": name} for name in ("positive", "negative", "positive")]
    several = encoded(TASKS["extraction"], cell, text)
    answer = "food | positive ; food | negative ; food | positive"
    assert TASKS["extraction"].correct_answers(several) == [answer]
    assert read(TASKS["extraction"], answer, text) == several


def test_words_that_are_not_in_the_text_are_not_asked_for():
    task = TASKS["triplets"].replace(missing_terms="skip")
    cell = [{"term": "screen", "opinion": "rude", "polarity": "negative"}]
    assert task.correct_answers(encoded(task, cell)) == ["none"]
    task = TASKS["extraction"].replace(missing_terms="skip")
    assert task.correct_answers(encoded(task, [{"term": "screen", "polarity": "negative"}])) == ["none"]
    # What may be missing in a label may not be in an answer.
    assert "unparsed" in read(task, "screen | negative")


def test_words_are_taken_as_the_text_has_them_whatever_their_case():
    [item] = TASKS["triplets"].answer(read(TASKS["triplets"], "SUSHI|Fresh |  positive"))
    assert (item["term"], item["opinion"], item["polarity"]) == ("sushi", "fresh", "positive")
    assert read(TASKS["quads"], "NONE") == "[]"


UNREADABLE = [
    ("extraction", "", "found an empty answer, expected term | polarity, or none"),
    ("extraction", "sushi", "found 'sushi', expected term | polarity"),
    ("extraction", "sushi | positive | fresh", "found 'sushi | positive | fresh', expected term | polarity"),
    ("extraction", "sushi | positive ;", "found '', expected term | polarity"),
    ("extraction", "sushi | positive\nwaiter | negative", "expected term | polarity, or none alone"),
    ("extraction", "sushi | ", "found '' for polarity, expected words"),
    (
        "extraction",
        "sushi | good",
        "found the polarity 'good' of the term 'sushi', expected one of 'negative', 'positive'",
    ),
    ("extraction", "none | positive", "found none for term, expected words"),
    ("extraction", "sushi | none", "found none for polarity, expected words"),
    ("extraction", "pizza | positive", "found the term 'pizza', which does not stand in the text"),
    ("extraction", "sushi | positive\\", "for polarity, expected words (and \\\\ for a backslash)"),
    ("extraction", "none ; sushi | positive", "found 'none', expected term | polarity"),
    ("extraction", '[{"term": "sushi", "polarity": "positive"}]', "expected term | polarity"),
    ("terms", "sushi ; none", "found none for term, expected words"),
    ("terms", "sushi | positive", "expected term, or none alone"),
    ("triplets", "sushi | none | positive", "found none for opinion, expected words"),
    ("triplets", "sushi | good | positive", "found the words 'good', which do not stand in the text"),
    ("quads", "food | sushi | fresh | positive", "found the category 'food', expected one of 'food quality'"),
    ("quads", "none | sushi | fresh | positive", "found none for category, expected words"),
    ("quads", "food quality | sushi | fresh", "expected category | term | opinion | polarity"),
]


@pytest.mark.parametrize(("name", "answer", "reason"), UNREADABLE)
def test_what_cannot_be_read_counts_as_a_whole_and_says_why(name, answer, reason):
    task = TASKS[name]
    [item] = task.answer(read(task, answer))
    assert item["unparsed"] == answer
    assert reason in item["reason"]
    # Beside an item that could be read, too.
    good = {"extraction": "waiter | negative", "terms": "waiter", "triplets": "waiter | rude | negative"}
    good["quads"] = "service general | waiter | rude | negative"
    assert "unparsed" not in read(task, good[name])
    assert "unparsed" in read(task, f"{good[name]} ; {answer}")


def test_an_answer_that_is_cut_cannot_be_read():
    task = TASKS["extraction"].replace(max_new_tokens=7)
    [item] = task.answer(read(task, "sushi | positive", is_complete=False))
    assert item == {"unparsed": "sushi | positive", "reason": "found 7 tokens without an end, expected fewer"}


@pytest.mark.parametrize("name", TASKS)
@given(answer=st.text(st.sampled_from("sushi|;\\ none\n"), max_size=12), is_complete=st.booleans())
def test_whatever_is_written_there_is_a_prediction(name, answer, is_complete):
    task = TASKS[name]
    for item in task.answer(read(task, answer, is_complete=is_complete)):
        places = [TEXT[item[f"{side}start"] : item[f"{side}end"]] for side in ("", "term_") if f"{side}start" in item]
        assert "unparsed" in item or places == [item["term"]] or item["term"] is None


WORDS = st.text(st.sampled_from("ab|;\\ "), min_size=1, max_size=4).filter(str.strip) | st.sampled_from(
    ["none", "None"]
)


@given(st.lists(st.tuples(st.none() | WORDS.map(str.strip), WORDS.map(str.strip)), max_size=4))
def test_fields_survive_whatever_is_in_them(items):
    assert read_list(write_list(items), ("term", "polarity")) == items


@given(st.lists(WORDS.map(str.strip).map(lambda words: (words,)), max_size=4))
def test_lists_of_one_column_survive(items):
    assert read_list(write_list(items), ("term",)) == items


@given(data=st.data())
@pytest.mark.parametrize("name", TASKS)
def test_labels_survive_being_written(name, data):
    """From the words of a text to a label, to an answer, to the same label, places and all."""
    task = TASKS[name]
    pieces = data.draw(st.lists(WORDS.map(str.strip), min_size=1, max_size=6))
    text = " ".join(pieces)
    words = st.sampled_from(pieces)
    side = st.none() | words if name == "quads" else words
    item = {
        "term": side,
        **({} if name == "terms" else {"polarity": st.sampled_from(POLARITIES)}),
        **({"opinion": side} if name in ("triplets", "quads") else {}),
        **({"category": st.sampled_from(CATEGORIES)} if name == "quads" else {}),
    }
    label = encoded(task, data.draw(st.lists(st.fixed_dictionaries(item), max_size=4)), text)
    again = read(task, task.correct_answers(label)[0], text)

    def items(found):
        return {tuple(sorted(item.items(), key=str)) for item in json.loads(found)}

    assert items(again) == items(label)


@pytest.mark.parametrize("name", TASKS)
def test_the_question_names_the_form_and_every_name(name):
    task = TASKS[name]
    for template in range(len(task.default_questions)):
        [pieces] = task.replace(template=task.templates[template]).prompts()
        assert pieces[1] == "text"
        asked = "".join(pieces)
        for words in (" | ".join(task.columns), "or none", *task.classes, *(task.choices.get("category", ()))):
            assert words in asked
        assert "{" not in asked
    assert len(set(task.templates)) == 4


def test_unreadable_answers_are_wrong_also_where_nothing_is_to_be_found():
    task = TASKS["triplets"]
    gold = [encoded(task, []), encoded(task, []), encoded(task, [RUDE]), encoded(task, [RUDE])]
    predictions = [read(task, answer) for answer in ("none", "?", "?", "waiter | rude | negative")]
    assert task.decide(predictions).tolist() == predictions
    assert get_metric("unparsed")(gold, predictions) == 0.5
    assert not get_metric("unparsed").higher_is_better
    assert get_metric("triplet_text_f1")(gold, predictions) == pytest.approx(0.5)
    assert get_metric("triplet_f1")(gold, predictions) == pytest.approx(2 / 3)
    assert make_analysis(task).is_wrong(predictions, gold).tolist() == [False, True, True, False]
    assert make_analysis(task).score_parts(gold, [predictions])[0]["f1"] == pytest.approx(2 / 3)


RUDE = {"term": "waiter", "opinion": "rude", "polarity": "negative"}


def test_only_written_answers_are_scored_by_how_many_cannot_be_read():
    for task in TASKS.values():
        assert task.scored_metrics == (*task.metrics, "unparsed")
        assert task.replace(format="head").scored_metrics == (*task.metrics, "ece", "brier")
        # The untrained language model may stand beside a head.
        assert set(task.replace(format="head").reported) == {*task.reported, "ece", "brier"}
        assert "unparsed" not in task.primary_metrics


def test_the_format_decides_whether_it_writes_and_what_it_learns():
    head, written = TASKS["extraction"].replace(format="head"), TASKS["extraction"]
    assert (head.writes_text, head.has_token_head, head.is_averaged) == (False, True, False)
    assert (written.writes_text, written.has_token_head, written.is_averaged) == (True, False, False)
    assert type(make_objective(head)).__name__ == "ExtractionObjective"
    assert type(make_objective(written)).__name__ == "GenerationObjective"
    assert head.as_prompted().limits == (96, 1)
    assert written.shortened(4).limits == (4, 1)
    assert (head.summary, written.replace(beams=2).summary) == ("extraction", "extraction, at most 96 tokens, 2 beams")


def test_overlapping_terms_are_written_all():
    cell = [{"term": "the waiter", "polarity": "negative"}, {"term": "waiter", "polarity": "negative"}]
    task = TASKS["extraction"]
    label = task.locate(task.parse(cell), TEXT)
    assert task.describe([label]) == []
    assert "overlap" in task.replace(format="head").describe([label])[0]
    assert task.correct_answers(task.encode(label)) == ["the waiter | negative ; waiter | negative"]


def test_thresholds_are_for_heads():
    gold = [encoded(TASKS["triplets"], [RUDE])]
    assert TASKS["triplets"].tune(gold, gold) == TASKS["triplets"]


def test_a_list_that_cannot_be_read_is_named():
    with pytest.raises(LabelError, match=re.escape("expected a | b, or none alone")):
        read_list("x", ("a", "b"))
