import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from equipoise.kinds import (
    LabelError,
    Quads,
    TokenWindow,
    Triplets,
    get_metric,
    make_analysis,
    make_objective,
    task_from_dict,
)

TEXT = "The sushi was fresh but the waiter rude ."
FRESH = {"term": "sushi", "opinion": "fresh", "polarity": "positive"}
RUDE = {"term": "waiter", "opinion": "rude", "polarity": "negative"}


def triplets(**options):
    return Triplets("opinions", "source", "text", None, "triplets", "triplet_f1", **options)


def quads(**options):
    return Quads("opinions", "source", "text", None, "quads", "quad_f1", **options)


def words(text):
    """One token per word."""
    found, start = [], 0
    for word in text.split():
        start = text.index(word, start)
        found.append((start, start + len(word)))
        start += len(word)
    return np.array(found).reshape(-1, 2)


def located(task, cell, text=TEXT):
    return task.locate(task.parse(cell), text)


def fitted(task, cell, text=TEXT):
    label = located(task, cell, text)
    task = task.fit([label])
    return task, task.encode(label)


def certain(task, targets):
    """The probabilities of a head that is sure of these targets."""
    grid = task.grid
    cells = np.zeros((len(targets), grid.n_outputs))
    cells[np.arange(len(targets)), np.minimum(targets, 3)] = 1
    number = np.maximum(targets - 3, 0)
    cells[np.arange(len(targets)), 4 + number % grid.polarities] = 1
    cells[np.arange(len(targets)), 4 + grid.polarities + number // grid.polarities] = 1
    return cells


def read_back(task, encoded, text=TEXT):
    """Tag a label and read it back."""
    tokens = words(text)
    targets = task.cell_targets(encoded, text, tokens)
    assert len(targets) == task.count_cells(len(tokens))
    return task.answer(task.read_cells(text, [TokenWindow(tokens, certain(task, targets))]))


def without_scores(items):
    return [{key: value for key, value in item.items() if key != "score"} for item in items]


def test_what_is_tagged_is_read_back():
    task, encoded = fitted(triplets(), [FRESH, RUDE])
    items = read_back(task, encoded)
    assert items[0] == {**FRESH, "term_start": 4, "term_end": 9, "opinion_start": 14, "opinion_end": 19, "score": 1.0}
    assert without_scores(items) == task.answer(encoded)


def test_a_term_with_two_opinions_and_words_of_several_tokens():
    text = "The spicy tuna roll is not cheap but very good ."
    cell = [
        {"term": "spicy tuna roll", "opinion": "not cheap", "polarity": "negative"},
        {"term": "spicy tuna roll", "opinion": "very good", "polarity": "positive"},
    ]
    task, encoded = fitted(triplets(), cell, text)
    assert without_scores(read_back(task, encoded, text)) == task.answer(encoded)


def test_terms_and_opinions_of_quads_can_be_implicit():
    cell = [
        {"category": "food", "term": "sushi", "opinion": "fresh", "polarity": "positive"},
        {"category": "service", "term": None, "opinion": "rude", "polarity": "negative"},
        {"category": "place", "term": "waiter", "opinion": None, "polarity": "neutral"},
        {"category": "place", "term": None, "opinion": None, "polarity": "neutral"},
    ]
    task, encoded = fitted(quads(), cell)
    assert (task.classes, task.categories) == (("negative", "neutral", "positive"), ("food", "place", "service"))
    found = without_scores(read_back(task, encoded))
    order = json.dumps
    assert sorted(found, key=order) == sorted(task.answer(encoded), key=order)
    assert get_metric("quad_f1")([encoded], [json.dumps(found)]) == 1


def test_words_are_taken_where_term_and_opinion_are_nearest():
    text = "Good bread , and the pasta was good ."
    [opinion] = located(triplets(), [{"term": "pasta", "opinion": "good", "polarity": "p"}], text)
    assert opinion.opinion_place == (31, 35)


def opinion(term, words, polarity="p", **more):
    return {"term": term, "opinion": words, "polarity": polarity, **more}


@pytest.mark.parametrize(
    ("text", "cell", "colliding"),
    [
        ("the food is good", [opinion("food", "good"), opinion("food", "good", "n")], 2),
        ("food service good", [opinion("food", "good"), opinion("service", "good")], 2),
        ("food and service good", [opinion("food", "good"), opinion("service", "good")], 0),
        ("food / service good", [opinion("food", "good"), opinion("service", "good")], 0),
        ("good bad food", [opinion("food", "good"), opinion("food", "bad")], 2),
        ("very good food", [opinion("food", "very good"), opinion("food", "good")], 2),
        ("overpriced food", [opinion("overpriced food", "overpriced")], 1),
        ("fresh food is here", [opinion("food", "fresh"), opinion("food", "here")], 0),
    ],
)
def test_opinions_that_a_grid_cannot_tell_apart_are_told(text, cell, colliding):
    task, encoded = fitted(triplets(), cell, text)
    said = task.describe([located(task, cell, text)])
    is_read_back = sorted(map(json.dumps, without_scores(read_back(task, encoded, text)))) == sorted(
        map(json.dumps, task.answer(encoded))
    )
    assert is_read_back == (not colliding)
    assert [f"are the same: {colliding} (" in sentence for sentence in said] == [True] * bool(colliding)
    assert task.replace(format="prompt").describe([located(task, cell, text)]) == []


def test_a_pair_of_quads_has_one_category():
    cell = [opinion(None, None, category="food"), opinion(None, None, category="place")]
    task, encoded = fitted(quads(), cell)
    [sentence] = task.describe([located(quads(), cell)])
    assert "are the same: 2 ('food / p', 'place / p')" in sentence
    assert len(read_back(task, encoded)) == 1


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ([{"term": "sushi", "polarity": "p"}], "without opinion, expected an object such as"),
        ([{"term": None, "opinion": "fresh", "polarity": "p"}], "without term, expected an object"),
        ([{"term": "sushi", "opinion": "fresh"}], "without polarity"),
        ([{**FRESH, "category": "food"}], "found the field 'category', expected some of 'term', 'opinion', 'polarity'"),
        (["sushi"], "found 'sushi' in a list, expected an object"),
        ("fresh sushi", "expected a list such as"),
        ([{**FRESH, "opinion": "raw"}], "found the words 'raw', which do not stand in the text 'The sushi was"),
    ],
)
def test_what_is_no_list_of_triplets_is_refused(cell, message):
    with pytest.raises(LabelError, match=message):
        located(triplets(), cell)


def test_unknown_polarities_and_categories_are_refused():
    with pytest.raises(LabelError, match="found the polarity 'positive', expected one of 'good', 'bad'"):
        triplets(classes=("good", "bad")).parse([FRESH])
    quad = {**FRESH, "category": "food"}
    with pytest.raises(LabelError, match="found the category 'food', expected one of 'drinks'"):
        quads(categories=("drinks",)).parse([quad])
    task, _ = fitted(quads(), [quad])
    with pytest.raises(LabelError, match="found the category 'drinks', expected as in train one of 'food'") as error:
        task.encode(located(quads(), [{**quad, "category": "drinks"}]))
    assert error.value.hint.endswith("(categories).")


def test_a_run_file_states_the_categories_of_the_model():
    trained = quads(classes=("n", "p"), categories=("drinks", "food"))
    stated = quads(categories=("food", "place"))
    expected = "categories: found 'food', 'place', expected 'drinks', 'food'"
    assert stated.contradiction(trained) == expected
    assert quads(categories=("food ", "drinks")).contradiction(trained) == quads().contradiction(trained) == ""
    assert stated.replace(categories=(), classes=("p",)).contradiction(trained).startswith("classes: found 'p'")


def test_words_that_stand_for_nothing_are_null():
    with pytest.raises(
        LabelError, match=r"'NULL', which do not stand in the text .*; what is implicit is null, in quads"
    ):
        located(quads(), [{**FRESH, "category": "food", "term": "NULL"}])
    with pytest.raises(LabelError, match="no training text states an opinion"):
        triplets().fit([()])


def test_missing_words_can_be_skipped_and_count_as_missed():
    task = triplets(missing_terms="skip")
    label = located(task, [FRESH, {**RUDE, "opinion": "awful"}])
    task = task.fit([label])
    [sentence] = task.describe([label])
    assert sentence.startswith("words that do not stand in their text: 1 ('awful')")
    encoded = task.encode(label)
    found = read_back(task, encoded)
    assert [item["term"] for item in found] == ["sushi"]
    assert get_metric("triplet_f1")([encoded], [json.dumps(found)]) == pytest.approx(2 / 3)


def test_the_threshold_is_chosen_on_dev():
    task, encoded = fitted(triplets(), [FRESH])
    sure, unsure = json.loads(encoded)[0], json.loads(encoded)[0]
    right = json.dumps([{**sure, "score": 0.32}])
    wrong = json.dumps([{**unsure, "polarity": "negative", "score": 0.22}])
    predictions = np.array([right, wrong, right], dtype=object)
    gold = np.array([encoded, encoded, encoded], dtype=object)
    assert task.decide(predictions).tolist() == ["[]"] * 3
    tuned = task.tune(predictions, gold)
    assert tuned.threshold == 0.3
    assert [item != "[]" for item in tuned.decide(predictions)] == [True, False, True]


def test_an_opinion_at_the_border_of_a_window_is_not_learnt():
    task, encoded = fitted(triplets(), [FRESH, RUDE])
    tokens = words(TEXT)[:3]
    targets = task.cell_targets(encoded, TEXT, tokens).reshape(3, 3)
    # "sushi" is there, its opinion is not: nothing of the pair is wrong to say.
    assert targets[1, 1] == 1
    assert set(targets.ravel().tolist()) <= {-1, 0, 1}


@pytest.mark.parametrize("make", [triplets, quads])
def test_layers_answer_for_every_cell_whatever_stands_beside(make):
    cell = {**FRESH, "category": "food"} if make is quads else FRESH
    task, _ = fitted(make(), [cell])
    torch.manual_seed(0)
    layers = make_objective(task).make_layers(8).eval()
    features, counts = torch.randn(7, 8), torch.tensor([3, 0, 4])
    outputs = layers(features, counts)
    assert outputs.shape == (sum(task.count_cells(n) for n in (3, 0, 4)), task.grid.n_outputs + 1)
    alone = layers(features[3:], torch.tensor([4]))
    torch.testing.assert_close(outputs[-len(alone) :], alone)
    assert layers(features[:0], counts[:0]).shape == (0, task.grid.n_outputs + 1)


def test_the_loss_is_that_of_its_parts():
    cell = [{**FRESH, "category": "food"}, {**RUDE, "category": "staff"}]
    task, _ = fitted(quads(), cell)
    objective = make_objective(task)
    torch.manual_seed(0)
    outputs = torch.randn(4, task.grid.n_outputs + 1)
    outputs[:, -1] = 2
    # Category 1 and polarity 0: 3 + 1 * 2 + 0.
    losses = objective.loss(outputs, torch.tensor([0, 2, 5, -1]))
    what, polarity, category = outputs[:, :4], outputs[:, 4:6], outputs[:, 6:8]
    related = sum(
        F.cross_entropy(part[2:3], torch.tensor([number])) for part, number in ((what, 3), (polarity, 0), (category, 1))
    )
    expected = [F.cross_entropy(what[:1], torch.tensor([0])), F.cross_entropy(what[1:2], torch.tensor([2])), related]
    assert losses.tolist() == pytest.approx([*(2 * float(part) for part in expected), 0], rel=1e-5)
    assert objective.predict(outputs)[:, :4].sum(dim=1).tolist() == pytest.approx([1] * 4)


@given(st.integers(0, 5), st.integers(0, 2**16), st.booleans())
def test_whatever_the_probabilities_answers_are_well_formed(tokens, seed, implicit):
    text = " ".join(["word"] * tokens)
    cell = {**FRESH, "category": "food"} if implicit else FRESH
    task, _ = fitted(quads() if implicit else triplets(), [cell])
    cells = np.random.default_rng(seed).random((task.count_cells(tokens), task.grid.n_outputs))
    for item in json.loads(task.read_cells(text, [TokenWindow(words(text), cells)])):
        assert implicit or (item["term"] and item["opinion"])
        for side in ("term", "opinion"):
            if item[side] is not None:
                assert text[item[f"{side}_start"] : item[f"{side}_end"]] == item[side]


def test_metrics_compare_sets_of_tuples():
    gold = [json.dumps([FRESH, RUDE])]
    found = [json.dumps([{**FRESH, "polarity": "negative"}, RUDE])]
    assert get_metric("triplet_f1")(gold, found) == 0.5
    assert get_metric("pair_f1")(gold, found) == 1
    assert get_metric("triplet_text_f1")(gold, found) == 0.5


@pytest.mark.parametrize("make", [triplets, quads])
def test_it_is_stored_and_read_back(make):
    cell = {**FRESH, "category": "food"} if make is quads else FRESH
    task, encoded = fitted(make(), [cell])
    assert task_from_dict(json.loads(json.dumps(task.to_dict()))) == task
    assert task.find_problem() == ""
    analysis = make_analysis(task)
    gold = np.array([encoded, "[]"], dtype=object)
    assert analysis.is_wrong(np.array(["[]", "[]"], dtype=object), gold).tolist() == [True, False]
    assert analysis.score_parts(gold, np.stack([gold])) == [{"f1": 1.0}]
    assert task.count(gold) == {"positive": 1}
