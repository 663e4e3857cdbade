import numpy as np
import pandas
import pytest
import torch

from equipoise.errors import DataError, ModelError, UsageError
from equipoise.modeling import MultiTaskModel, Predictor, load, load_backbone
from equipoise.tasks import Classification, Regression

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
    with pytest.raises(UsageError, match=r"task 'polarity' reads a second text \(column 'aspect'\), found None"):
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
        next(model.task_module("score").parameters()).fill_(float("nan"))
    with pytest.raises(ModelError, match=r"task 'score': .* prediction .* is no number"):
        Predictor(model).predict("fine", tasks=["score"])


def test_a_number_is_read_as_text(predictor):
    rows = [{"text": 12, "aspect": 5}, {"text": "12", "aspect": "5"}]
    one, other = flat(predictor.predict(rows))
    assert one.tolist() == other.tolist()
