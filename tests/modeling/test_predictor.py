import numpy as np
import pandas
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equipoise.data import BadRow, Rows
from equipoise.errors import MESSAGE_LIMIT, DataError, EquipoiseError, ModelError, UsageError
from equipoise.kinds import Classification, Regression
from equipoise.modeling import MultiTaskModel, Predictor, load, load_backbone

TASKS = {
    "score": Regression("score", "s", "text", None, "score", "pearson"),
    "polarity": Classification("polarity", "s", "text", "aspect", "label", "macro_f1", ("bad", "good")),
}
TEXTS = ["good film", "a bad phone and a sad place with very slow service", "the", "good film"]


@pytest.fixture(scope="module")
def predictor(tiny_model):
    torch.manual_seed(0)
    return Predictor(MultiTaskModel(*load_backbone(str(tiny_model)), TASKS, max_length=32).eval())


def flat(answers):
    return np.array([[answer["score"]["score"], *answer["polarity"]["probabilities"].values()] for answer in answers])


def test_answers_come_in_order_and_in_form(predictor):
    answers = predictor.predict(TEXTS, "film")
    assert [answer["text"] for answer in answers] == TEXTS
    assert list(answers[0]) == ["text", "pair", "score", "polarity"]
    assert answers[0] == answers[3] != answers[1]
    probabilities = answers[1]["polarity"]["probabilities"]
    assert answers[1]["polarity"]["label"] == max(probabilities, key=probabilities.get)
    assert sum(probabilities.values()) == pytest.approx(1)


def test_the_batch_size_changes_nothing(predictor):
    texts = [" ".join(TEXTS[: 1 + number % 4]) + f" {number}" for number in range(40)]
    one, many = (flat(predictor.predict(texts, "film", batch_size=size)) for size in (1, 64))
    np.testing.assert_allclose(one, many, atol=1e-5)


def test_the_pair_is_read_by_the_tasks_that_read_one(predictor):
    film, phone = predictor.predict("good film", "film"), predictor.predict("good film", "phone")
    assert film[0]["score"] == phone[0]["score"]
    assert film[0]["polarity"] != phone[0]["polarity"]
    both = predictor.predict(["good film", "good film"], ["film", "phone"])
    np.testing.assert_allclose(flat(both), flat(film + phone), atol=1e-5)


def test_rows_bring_their_own_columns(predictor):
    rows = [{"id": 7, "text": "good film", "aspect": "film"}]
    answer = predictor.predict(rows)[0]
    assert answer["id"] == 7
    np.testing.assert_allclose(flat([answer]), flat(predictor.predict("good film", "film")), atol=1e-6)


def test_one_task_of_several(predictor):
    assert list(predictor.predict("good film", tasks=["score"])[0]) == ["text", "score"]
    with pytest.raises(UsageError, match="Did you mean 'polarity'"):
        predictor.predict("good film", tasks=["polarty"])


def test_no_texts_no_answers(predictor):
    assert predictor.predict([]) == []


def test_mistakes(predictor):
    with pytest.raises(DataError, match="row 2: found an empty text, expected a text"):
        predictor.predict(["fine", "  "], "film")
    with pytest.raises(DataError, match=r"row 1: found \['fine'\], expected a text"):
        predictor.predict([["fine"]], "film")
    with pytest.raises(UsageError, match="texts: found 3, expected a text"):
        predictor.predict(3)
    with pytest.raises(UsageError, match="batch_size: found 0"):
        predictor.predict("fine", "film", batch_size=0)
    with pytest.raises(DataError, match=r"row 1: no column 'text', which task 'score' reads. Did you mean 'texts'"):
        predictor.predict([{"texts": "fine"}])
    with pytest.raises(UsageError, match=r"task 'polarity' reads a second text \(column 'aspect'\), found none"):
        predictor.predict("fine")
    with pytest.raises(UsageError, match="pair: found 2 for 1 texts"):
        predictor.predict(["fine"], ["a", "b"])


def test_a_run_folder_will_do(predictor, tmp_path):
    predictor.model.save_pretrained(tmp_path / "run" / "model")
    for folder in (tmp_path / "run", tmp_path / "run" / "model"):
        assert flat(load(folder).predict(TEXTS, "film")).tolist() == flat(predictor.predict(TEXTS, "film")).tolist()


def test_a_column_with_the_name_of_a_task_is_kept_apart(predictor):
    answer = predictor.predict([{"text": "fine", "score": 3, "id": 7, "given": "mine"}], tasks="score")[0]
    assert answer["given"] == {"score": 3, "given": "mine"}
    assert answer["score"].keys() == {"score"}
    assert answer["id"] == 7


def test_a_data_frame_is_rows(predictor):
    frame = pandas.DataFrame({"text": ["good film", "bad film"], "aspect": ["film", "film"]})
    assert flat(predictor.predict(frame)).tolist() == flat(predictor.predict(frame.to_dict("records"))).tolist()


def test_damaged_weights_are_no_answer(tiny_model):
    model = MultiTaskModel(*load_backbone(str(tiny_model)), TASKS, max_length=32).eval()
    with torch.no_grad():
        next(model.head("score").parameters()).fill_(float("nan"))
    with pytest.raises(ModelError, match=r"task 'score': .* prediction .* is no number"):
        Predictor(model).predict("fine", tasks=["score"])


def test_a_number_is_read_as_text(predictor):
    rows = [{"text": 12, "aspect": 5}, {"text": "12", "aspect": "5"}]
    one, other = flat(predictor.predict(rows))
    assert one.tolist() == other.tolist()


def test_all_bad_rows_are_named_at_once(predictor):
    texts = ["fine", "", "fine", " ", None, b"x", "a\ud800", "caf\udce9", "x" * 1_000_001]
    with pytest.raises(DataError) as caught:
        predictor.predict(texts, tasks="score")
    message = str(caught.value)
    assert "row 2, row 4, row 5: found an empty text, expected a text; leave these rows out." in message
    assert "row 6: found b'x', expected a text" in message
    assert r"row 7: found half of a surrogate pair (\ud800), expected whole characters" in message
    assert "row 8: found a byte that is not UTF-8 (0xe9)" in message
    assert message.endswith("7 of 9 rows cannot be answered; correct them, or leave them out.")
    assert len(message) <= MESSAGE_LIMIT
    with pytest.raises(DataError, match="row 1: found a text of 1,000,001 characters, expected 1,000,000 at most"):
        predictor.predict("x" * 1_000_001, tasks="score")
    with pytest.raises(DataError, match=r"row 1, row 3, .*, row 15 and 42 more: found an empty text"):
        predictor.predict(["", "fine"] * 50, "film")


def test_rows_of_a_file_are_named_by_file_and_line(predictor):
    rows = Rows("new.csv", [2, 3, 5, 9], {"text": ["a", None, "b", " "], "aspect": ["a", "b", None, "c"]}, "line")
    with pytest.raises(DataError) as caught:
        predictor.predict(rows)
    assert "new.csv, line 3, line 9: found an empty text" in str(caught.value)
    assert "new.csv, line 5: task 'polarity' reads a second text (column 'aspect'), found none" in str(caught.value)
    with pytest.raises(DataError, match=r"^new\.csv, all 4 rows: no column 'text', which task 'score' reads\."):
        predictor.predict(Rows("new.csv", [2, 3, 5, 9], {"txet": ["a"] * 4}, "line"), tasks="score")


@pytest.mark.parametrize("texts", [None, 3, 2.5, b"fine", bytearray(b"fine"), object()])
def test_what_is_no_text_is_refused_by_name(predictor, texts):
    with pytest.raises(UsageError, match=r"texts: found .*, expected a text, several texts, or rows"):
        predictor.predict(texts, "film")


@pytest.mark.parametrize("pair", [3, b"film", {"aspect": "film"}, object()])
def test_what_is_no_pair_is_refused_by_name(predictor, pair):
    with pytest.raises(UsageError, match=r"pair: found .*, expected a text for all rows, or a list of one each"):
        predictor.predict("fine", pair)
    with pytest.raises(UsageError, match=r"task 'polarity' reads a second text .* found "):
        predictor.predict(["fine"], [pair if not isinstance(pair, int) else None])


@pytest.mark.parametrize("options", [{"batch_size": "8"}, {"batch_size": 2.5}, {"prompts": True}, {"prompts": None}])
def test_what_is_no_whole_number_is_refused_by_name(predictor, options):
    with pytest.raises(UsageError, match=rf"{next(iter(options))}: found .*, expected 1 or more"):
        predictor.predict("fine", "film", **options)
    with pytest.raises(UsageError, match=r"tasks: found .*, expected the name of a task, or several"):
        predictor.predict("fine", "film", tasks=3)


_ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
_CELLS = st.none() | _ANY_TEXT | st.integers() | st.floats() | st.binary(max_size=3) | st.lists(st.none(), max_size=2)
_COLUMNS = st.sampled_from(["text", "aspect", "score", "given", "", "x"])
_ROWS = _CELLS | st.dictionaries(_COLUMNS, _CELLS)


@given(st.lists(_ANY_TEXT, max_size=4) | st.lists(_ROWS, max_size=4), _CELLS | st.lists(_CELLS, max_size=4))
def test_any_texts_are_answered_or_refused(predictor, texts, pair):
    try:
        message, answers = "", predictor.predict(texts, pair)
    except EquipoiseError as error:
        message, answers = str(error), [None] * len(texts)
    assert len(answers) == len(texts)
    assert len(message) <= MESSAGE_LIMIT
    assert message.replace("\n", "").isprintable()


def test_bad_rows_are_answered_in_their_place(predictor):
    rows = [{"text": "good film"}, {"text": "", "n": 1}, BadRow({"text": "x"}, "found 3 cells"), {"txt": "fine"}]
    answers = predictor.predict(rows, tasks="score", errors="answer")
    assert [answer.get("error") for answer in answers] == [
        None,
        "found an empty text, expected a text",
        "found 3 cells",
        "no column 'text', which task 'score' reads. Did you mean 'txt'?",
    ]
    assert answers[0] == predictor.predict(rows[:1], tasks="score")[0]
    assert answers[1] == {"text": "", "n": 1, "error": answers[1]["error"]}
    assert "score" not in answers[2]
    assert predictor.predict(["", " "], tasks="score", errors="answer")[1]["error"]
    kept = predictor.predict([{"text": "fine", "error": "mine"}], tasks="score")[0]
    assert kept["given"] == {"error": "mine"}


def test_a_stream_is_answered_window_by_window(predictor):
    asked = []

    def rows():
        for number in range(10):
            asked.append(number)
            yield "" if number == 7 else f"good film {number}"

    answers = predictor.stream(rows(), tasks="score", errors="answer", window=4)
    assert next(answers)["text"] == "good film 0"
    assert asked == [0, 1, 2, 3]
    others = list(answers)
    assert len(others) == 9
    assert others[6]["error"] == "found an empty text, expected a text"
    np.testing.assert_allclose(
        others[0]["score"]["score"], predictor.predict("good film 1", tasks="score")[0]["score"]["score"], atol=1e-6
    )
    with pytest.raises(DataError, match="row 8: found an empty text"):
        list(predictor.stream(rows(), tasks="score", window=4))
    with pytest.raises(UsageError, match="rows: found 'good film', expected several"):
        next(predictor.stream("good film"))


def test_texts_that_are_cut_are_counted(tiny_model):
    predictor = Predictor(MultiTaskModel(*load_backbone(str(tiny_model)), TASKS, max_length=8).eval())
    predictor.predict(["good film", "good " * 20, "good film"], tasks="score")
    assert (predictor.texts_read, predictor.texts_cut) == (2, 1)
    whole = Predictor(predictor.model.with_long_texts("windows"))
    whole.predict(["good " * 20], tasks="score")
    assert (whole.texts_read, whole.texts_cut, whole.max_length) == (1, 0, 8)
