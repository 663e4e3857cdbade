import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.kinds import (
    Extraction,
    LabelError,
    TokenWindow,
    get_metric,
    make_analysis,
    make_objective,
    task_from_dict,
)

TEXT = "Great battery life , but the battery is loud ."


def extraction(**options):
    return Extraction("aspects", "source", "text", None, "aspects", "extraction_f1", **options)


def located(cell, text=TEXT, **options):
    task = extraction(**options)
    return task.locate(task.parse(cell), text)


def places(mentions):
    return [(mention.start, mention.end, mention.label) for mention in mentions]


def words(text):
    """One token per word."""
    found, start = [], 0
    for word in text.split():
        start = text.index(word, start)
        found.append((start, start + len(word)))
        start += len(word)
    return np.array(found).reshape(-1, 2)


def certain(tags, n_tags):
    return np.eye(n_tags)[tags]


@pytest.mark.parametrize(
    "cell",
    [
        [{"term": "battery life", "polarity": "positive"}],
        '[{"term": "battery life", "polarity": "positive"}]',
        "[{'term': 'battery life', 'polarity': 'positive'}]",
        [{"start": 6, "end": 18, "label": "positive"}],
        [{"term": "battery life", "start": 6, "end": 18, "polarity": "positive"}],
        ["O", "B-positive", "I-positive", "O", "O", "O", "O", "O", "O", "O"],
        "O B-positive I-positive O O O O O O O",
        "O I-positive I-positive O O O O O O O",
        "['O' 'B-positive' 'I-positive' 'O' 'O' 'O'\n 'O' 'O' 'O' 'O']",
        "[{'term': 'battery life', 'polarity': 'positive'}\n {'term': 'battery life', 'polarity': 'positive'}]",
        '[{"term": "battery life", "polarity": "positive"}\n {"term": "battery life", "polarity": "positive"}]',
    ],
)
def test_labels_come_as_terms_as_spans_or_as_tags(cell):
    assert places(located(cell)) == [(6, 18, "positive")]


def test_a_tag_begins_a_new_mention_where_the_class_changes():
    tags = "O B-a I-b O O O I-a B-a O O"
    assert places(located(tags)) == [(6, 13, "a"), (14, 18, "b"), (29, 36, "a"), (37, 39, "a")]


def test_words_are_read_as_numpy_writes_them():
    assert [mention.term for mention in located("['battery' 'loud']")] == ["battery", "battery", "loud"]
    assert [mention.term for mention in located("['} {' \"it's\"]", "} { it's")] == ["} {", "it's"]
    objects = "[{'term': '} {'}\n {'term': 'x'}]"
    assert [mention.term for mention in located(objects, "} { x")] == ["} {", "x"]


def test_a_long_list_of_tags_is_read_as_numpy_writes_it():
    text = "word " * 900
    tags = "[" + " ".join(["'O'"] * 899 + ["'B-extremely-positive'"]) + "]"
    [mention] = located(tags.replace("'O'", "'B-extremely-negative'", 1), text)[1:]
    assert mention.label == "extremely-positive"


def test_an_empty_list_is_an_answer():
    task = extraction().fit([located([{"term": "battery", "polarity": "negative"}])])
    assert located([]) == ()
    assert task.encode(located([])) == "[]"
    assert task.answer("[]") == []


def test_terms_need_no_polarity():
    task = extraction().fit([located(["battery life"]), located([{"term": "battery"}])])
    assert (task.classes, task.n_tags) == ((), 3)
    [item] = task.answer(task.encode(located(["battery life"])))
    assert item == {"term": "battery life", "start": 6, "end": 18}


def test_a_term_is_labeled_wherever_it_stands():
    assert places(located([{"term": "battery", "polarity": "p"}])) == [(6, 13, "p"), (29, 36, "p")]


def test_a_term_with_several_polarities_has_them_in_order():
    cell = [{"term": "battery", "polarity": "p"}, {"term": "battery", "polarity": "n"}]
    assert places(located(cell)) == [(6, 13, "p"), (29, 36, "n")]


def test_whole_words_are_looked_for_first_then_any_case():
    assert places(located(["art"], "Smart art")) == [(6, 9, "")]
    assert places(located(["art"], "Smart")) == [(2, 5, "")]
    [mention] = located(["ART"], "the art")
    assert mention.term == "art"


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ([{"term": "screen", "polarity": "p"}], "found the term 'screen', which does not stand in the text"),
        (
            [{"start": 6, "end": 99, "label": "p"}],
            "found a span from 6 to 99, expected whole numbers, 0 ≤ start < end ≤ 46",
        ),
        ([{"start": 6, "end": 6, "label": "p"}], "found a span from 6 to 6"),
        ([{"start": True, "end": 6, "label": "p"}], "found a span from True to 6"),
        ([{"start": 5, "end": 6, "label": "p"}], "holds whitespace only"),
        ([{"start": 6, "label": "p"}], "without end, expected start and end, or neither"),
        (
            [{"term": "life", "start": 6, "end": 18}],
            "found the term 'life' at 6 to 18, where the text has 'battery life'",
        ),
        (["O", "B-p"], "found 2 tags for 10 words"),
        ([{"start": 6.0, "end": 18.0}], "found a span from 6.0 to 18.0, expected whole numbers, 0 ≤ start < end ≤ 46"),
    ],
)
def test_a_label_that_does_not_fit_its_text_is_refused(cell, message):
    with pytest.raises(LabelError, match=message):
        located(cell)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("battery", r"expected a list such as .* or \[\] for none"),
        ({"term": "battery"}, "expected a list"),
        (3, "expected a list"),
        ([3], "found 3 in a list, expected an object"),
        ([{"aspect": "battery"}], "found the field 'aspect', expected some of 'term', 'start'"),
        ([{"polarity": "p"}], "expected a term, or start and end"),
        ([{"term": " "}], "expected words of the text"),
        ([{"term": "a", "polarity": "p", "label": "q"}], "both a polarity and a label"),
        ("[" * 3000, "expected a list"),
        (["O", "S-p"], "found the tag 'S-p', expected O, B-CLASS or I-CLASS for each word"),
        ("o b-p i-p", "found the tag 'o', expected O, B-CLASS"),
        (["O", "B-"], "found the tag 'B-'"),
    ],
)
def test_what_is_no_list_of_terms_is_refused(cell, message):
    with pytest.raises(LabelError, match=message):
        extraction().parse(cell)


def test_listed_polarities_are_the_only_ones():
    task = extraction(classes=("negative", "positive"))
    with pytest.raises(LabelError, match="found the polarity 'good' of the term 'battery', expected one of 'negative'"):
        task.parse([{"term": "battery", "polarity": "good"}])
    with pytest.raises(LabelError, match="found no polarity of the term 'battery'"):
        task.parse(["battery"])
    with pytest.raises(LabelError, match="found the label 'good'"):
        located("O B-good I-good O O O O O O O", classes=("negative", "positive"))


def test_a_polarity_that_train_does_not_have_is_refused():
    task = extraction().fit([located([{"term": "battery", "polarity": "p"}])])
    with pytest.raises(
        LabelError, match="found the polarity 'q' of the term 'battery', expected as in train one of 'p'"
    ):
        task.encode(located([{"term": "battery", "polarity": "q"}]))
    with pytest.raises(LabelError, match="found no polarity of the term 'battery', expected as in train one of 'p'"):
        task.encode(located(["battery"]))
    without = extraction().fit([located(["battery"])])
    with pytest.raises(LabelError, match="found the polarity 'q' of the term 'battery', expected no polarity, as"):
        without.encode(located([{"term": "battery", "polarity": "q"}]))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([()], "no training text mentions a term"),
        (
            [located(["battery"]), located([{"term": "battery", "polarity": "p"}])],
            r"with a class .*'p'.* and 2 without one \('battery', 'battery'\)",
        ),
    ],
)
def test_what_cannot_be_learnt_is_refused(labels, message):
    with pytest.raises(LabelError, match=message):
        extraction().fit(labels)


def test_terms_are_not_taken_for_tags():
    assert [mention.term for mention in located(["T-shirt"], "a T-shirt")] == ["T-shirt"]
    assert [mention.term for mention in located(["a", "o"], "o a")] == ["o", "a"]


@pytest.mark.parametrize(
    ("cell", "options", "hint"),
    [
        (["screen"], {}, r"\(missing_terms: skip\)"),
        ([{"term": "battery", "polarity": "q"}], {"classes": ("p",)}, r"list every name in the run file \(classes\)"),
        ([3], {}, "^$"),
    ],
)
def test_errors_say_what_to_do(cell, options, hint):
    with pytest.raises(LabelError) as error:
        located(cell, **options)
    assert re.search(hint, error.value.hint)


def test_missing_terms_can_be_skipped_and_count_as_missed():
    cell = [{"term": "screen", "polarity": "p"}, {"term": "battery life", "polarity": "p"}]
    label = located(cell, missing_terms="skip")
    task = extraction(missing_terms="skip").fit([label])
    [sentence] = task.describe([label])
    assert sentence.startswith("terms that do not stand in their text: 1 ('screen')")
    encoded = task.encode(label)
    assert task.cell_targets(encoded, TEXT, words(TEXT)).tolist() == [0, 1, 2, 0, 0, 0, 0, 0, 0, 0]
    only_one = json.dumps([{"term": "battery life", "start": 6, "end": 18, "polarity": "p"}])
    assert get_metric("extraction_f1")([encoded], [only_one]) == pytest.approx(2 / 3)


def test_of_overlapping_terms_the_longest_is_learnt():
    cell = [{"start": 6, "end": 13, "label": "a"}, {"start": 6, "end": 18, "label": "b"}]
    label = located(cell)
    task = extraction().fit([label])
    [sentence] = task.describe([label])
    assert sentence.startswith("terms that overlap with another: 1 ('battery')")
    assert task.cell_targets(task.encode(label), TEXT, words(TEXT)).tolist()[:4] == [0, 3, 4, 0]


def test_a_term_with_more_polarities_than_places_keeps_them_all():
    cell = [{"term": "loud", "polarity": "p"}, {"term": "loud", "polarity": "n"}]
    label = located(cell)
    assert places(label) == [(40, 44, "p"), (40, 44, "n")]
    task = extraction().fit([label])
    [sentence] = task.describe([label])
    assert sentence.startswith("terms that overlap with another: 1 ('loud')")
    # The first is learnt, as the note says, and the other counts.
    encoded = task.encode(label)
    assert task.cell_targets(encoded, TEXT, words(TEXT)).tolist()[8] == 3
    only_first = json.dumps([{"term": "loud", "start": 40, "end": 44, "polarity": "p"}])
    assert get_metric("extraction_f1")([encoded], [only_first]) == pytest.approx(2 / 3)


def test_a_polarity_that_has_its_place_is_not_repeated():
    cell = [{"term": "battery", "polarity": one} for one in "pnp"]
    assert places(located(cell)) == [(6, 13, "p"), (29, 36, "n")]


def test_a_term_at_the_border_of_a_window_is_not_learnt():
    label = located([{"term": "battery life", "polarity": "p"}])
    task = extraction().fit([label])
    tokens = words(TEXT)
    assert task.cell_targets(task.encode(label), TEXT, tokens[:2]).tolist() == [0, -1]
    assert task.cell_targets(task.encode(label), TEXT, tokens[2:4]).tolist() == [-1, 0]


def test_answers_have_places_in_the_text():
    task = extraction().fit([located([{"term": "battery life", "polarity": "p"}, {"term": "loud", "polarity": "n"}])])
    assert task.classes == ("n", "p")
    cells = 0.8 * certain([0, 3, 4, 0, 0, 0, 0, 0, 1, 0], 5) + 0.2 / 5
    items = task.answer(task.read_cells(TEXT, [TokenWindow(words(TEXT), cells)]))
    assert items == [
        {"term": "battery life", "start": 6, "end": 18, "polarity": "p", "score": pytest.approx(0.84)},
        {"term": "loud", "start": 40, "end": 44, "polarity": "n", "score": pytest.approx(0.84)},
    ]


def test_spans_end_with_words_if_those_of_train_do():
    text = "batteries"
    pieces = np.array([[0, 4], [4, 9]])
    cells = np.array([[0.4, 0.6, 0.0], [0.7, 0.0, 0.3]])
    whole, free = (
        extraction(whole_words=whole).read_cells(text, [TokenWindow(pieces, cells)]) for whole in (True, False)
    )
    assert [item["term"] for item in json.loads(free)] == ["batt"]
    assert whole == "[]"
    assert located(["batt"], text)[0].cuts_words
    assert not located(["batteries"], text)[0].cuts_words


def test_windows_are_joined_where_they_overlap():
    text = "a b c d e f"
    tokens = words(text)
    task = extraction()
    tags = [[0, 0, 1, 2], [0, 1, 0, 0]]
    parts = [TokenWindow(tokens[:4], certain(tags[0], 3)), TokenWindow(tokens[2:], certain(tags[1], 3))]
    # "c d" begins in the first window's own part; the second window sees "d" alone, which overlaps with it.
    assert [item["term"] for item in json.loads(task.read_cells(text, parts))] == ["c d"]


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0.01, 1)), min_size=1, max_size=12), st.booleans())
def test_no_answer_is_ill_formed(rows, whole):
    """Whatever the probabilities are, spans lie in the text, in order, apart, and hold words."""
    text = " ".join("word" for _ in rows)
    tokens = words(text)
    generator = np.random.default_rng(len(rows))
    cells = generator.random((len(rows), 5))
    for row, (tag, weight) in enumerate(rows):
        cells[row, tag] += weight * 5
    cells /= cells.sum(axis=1, keepdims=True)
    task = extraction(classes=("a", "b"), whole_words=whole)
    end = 0
    for item in json.loads(task.read_cells(text, [TokenWindow(tokens, cells)])):
        assert end <= item["start"] < item["end"] <= len(text)
        assert text[item["start"] : item["end"]] == item["term"] == item["term"].strip()
        assert 0 < item["score"] <= 1
        end = item["end"]


@given(st.text(min_size=1, max_size=60), st.data())
def test_places_are_those_of_the_text(text, data):
    """What is labeled, tagged by characters, and read back is what was labeled, in any script."""
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    if not text[start:end].strip():
        return
    label = located([{"start": start, "end": end, "label": "x"}], text)
    task = extraction().fit([label])
    characters = np.array([(place, place + 1) for place in range(len(text))])
    tags = task.cell_targets(task.encode(label), text, characters)
    [item] = json.loads(task.read_cells(text, [TokenWindow(characters, certain(tags, 3))]))
    stretch = text[start:end]
    left = start + len(stretch) - len(stretch.lstrip())
    assert (item["start"], item["term"]) == (left, stretch.strip())


def test_metrics_compare_sets():
    gold = [
        json.dumps(
            [{"term": "a", "start": 0, "end": 1, "polarity": "p"}, {"term": "b", "start": 2, "end": 3, "polarity": "n"}]
        ),
        "[]",
    ]
    found = [
        json.dumps(
            [
                {"term": "a", "start": 0, "end": 1, "polarity": "n", "score": 0.5},
                {"term": "b", "start": 4, "end": 5, "polarity": "n", "score": 0.5},
            ]
        ),
        "[]",
    ]
    assert get_metric("extraction_f1")(gold, found) == 0.5
    assert get_metric("term_f1")(gold, found) == 1
    assert get_metric("span_f1")(gold, found) == 0
    assert get_metric("polarity_accuracy")(gold, found) == 0.5
    assert get_metric("text_f1")(gold, found) == 0.75
    assert get_metric("extraction_f1")(["[]"], ["[]"]) == 0
    assert get_metric("polarity_accuracy")(["[]"], ["[]"]) == 0


def test_resamples_are_scored_as_if_they_were_the_data():
    gold = np.array(['[{"term":"a","start":0,"end":1}]', "[]", '[{"term":"b","start":0,"end":1}]'], dtype=object)
    found = np.array(['[{"term":"a","start":0,"end":1}]', '[{"term":"c","start":0,"end":1}]', "[]"], dtype=object)
    for name in ("extraction_f1", "term_f1", "polarity_accuracy", "span_f1", "text_f1"):
        metric = get_metric(name)
        rows = np.array([0, 0, 1, 2, 2])
        counts = np.bincount(rows, minlength=3)[None, :].astype(float)
        assert metric.prepare(gold, found)(counts)[0] == pytest.approx(metric(gold[rows], found[rows]))


def test_it_is_stored_and_read_back():
    task = extraction(missing_terms="skip").fit([located("O B-x I-x O O O O O O O")])
    assert task.class_key == "label"
    assert task_from_dict(json.loads(json.dumps(task.to_dict()))) == task
    assert task.answer(task.encode(located("O B-x I-x O O O O O O O")))[0]["label"] == "x"
    assert task.find_problem() == ""
    assert "class_key" in task.replace(class_key="other").find_problem()


def test_analysis_counts_terms():
    label = located([{"term": "battery life", "polarity": "p"}])
    task = extraction().fit([label])
    gold = np.array([task.encode(label), "[]", "[]", "[]"], dtype=object)
    analysis = make_analysis(task)
    assert analysis.rarity(gold).tolist() == pytest.approx([2, 0.415, 0.415, 0.415], abs=1e-3)
    assert analysis.is_wrong(np.array(["[]"] * 4, dtype=object), gold).tolist() == [True, False, False, False]
    assert analysis.score_parts(gold, np.stack([gold, gold])) == [{"f1": 1.0}]
    assert task.count(gold) == {"p": 1}


def test_tokens_that_are_not_learnt_have_no_loss():
    import torch

    task = extraction().fit([located(["battery"])])
    objective = make_objective(task)
    outputs = torch.zeros(3, 3)
    losses = objective.loss(outputs, torch.tensor([0, 2, -1]))
    assert losses.tolist() == pytest.approx([np.log(3), np.log(3), 0])
    assert objective.predict(outputs).sum(dim=-1).tolist() == pytest.approx([1, 1, 1])
