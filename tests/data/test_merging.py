import pytest

from data_cases import LABEL, SCORE

POLARITY = LABEL | {"label": "score", "from_score": {"classes": ["low", "high"], "thresholds": [0.2]}}
AIM = {"pair": "aim"}


def row(text, score, label, **more):
    return {"text": text, "score": score, "label": label, **more}


def test_repeated_training_texts_become_one_row(load, three):
    train = [
        row("x", 0.1, "a"),
        row("y", 0.9, "b"),
        row("x", 0.1, "a"),
        row("x", 0.7, "b"),
        row("y", None, "a"),
        row("z", -0.4, "b"),
    ]
    table = load({"s": three(train=train)}, {"score": SCORE, "polarity": POLARITY, "label": LABEL})
    merged = table.splits["train"]
    assert merged["text"][:] == ["x", "y", "z"]
    assert merged["label:score"][:] == pytest.approx([0.3, 0.9, -0.4])
    # Averaged first and cut into classes then: two of the three x are low, their mean is high.
    assert merged["label:polarity"][:] == [1, 1, 0]
    assert merged["label:label"][:] == [0, None, 1]
    where = "Source 's', train: "
    assert [note.removeprefix(where) for note in table.notes] == [
        "rows merged because they repeat text (and pair) of another: 3.",
        "merged texts whose labels of 'score' differed: 1 (mean taken).",
        "merged texts whose labels of 'polarity' differed: 1 (mean taken).",
        "merged texts whose labels of 'label' differed: 2 (majority taken; ties without a label: 1).",
    ]


def test_a_row_without_any_label_left_is_dropped(load, three):
    train = [row("x", 0, "a"), row("x", 0, "b"), row("y", 0, "a"), row("z", 0, "b")]
    table = load({"s": three(train=train)}, {"label": LABEL})
    assert table.splits["train"]["text"][:] == ["y", "z"]


def test_equal_scores_stay_exactly_what_they_are(load, three):
    table = load({"s": three(train=[row("x", 0.1, "a")] * 3 + [row("y", 0.2, "a")])}, {"score": SCORE})
    assert table.labels("score", "train").tolist() == [0.1, 0.2]


def test_the_same_text_with_another_pair_is_another_row(load, three):
    train = [row("x", 0.1, "a", aim="p"), row("x", 0.2, "b", aim="q"), row("x", 0.3, "b", aim="q")]
    train.append(row("y", 0.9, "b", aim="q"))
    source = three(train=train, dev=[row("d", 0, "a", aim="p")], test=[row("e", 0, "a", aim="p")])
    table = load({"s": source}, {"score": SCORE | AIM, "plain": SCORE})
    merged = table.splits["train"]
    assert merged["pair"][:] == ["p", "q", "q", None, None]
    assert merged["label:score"][:] == [0.1, 0.25, 0.9, None, None]
    assert merged["text"][3:] == ["x", "y"]
    assert table.labels("plain", "train") == pytest.approx([0.2, 0.9])


def test_dev_and_test_rows_are_kept_as_they_are(load, three):
    repeated = [row("x", 0.1, "a"), row("x", 0.7, "b")]
    table = load({"s": three(test=repeated)}, {"score": SCORE, "label": LABEL})
    assert table.labels("score", "test").tolist() == [0.1, 0.7]
    assert table.labels("label", "test").tolist() == [0, 1]
    assert table.notes == ["Source 's', test: rows that repeat text (and pair) of another: 1, kept as they are."]
