import numpy as np
import pytest
import torch

from equipoise.kinds import Written
from equipoise.modeling import Predictor, count_work, infer
from equipoise.modeling.generating import generate as write
from prompted import TEXTS, encode, make_model, make_tasks, predict

LONG = [*TEXTS, "the film the film the film and a very long plot with no end at all", "x"]


def generate(model, task, prompts):
    """The texts alone."""
    return [written.text for written in write(model, task, prompts)]


@pytest.fixture
def model(tiny_llm):
    return make_model(tiny_llm, {"title": make_tasks()["title"]})


def say(model, text):
    """Let the model answer every prompt with a text, token by token, whatever it reads."""
    steps = iter([*model.tokenizer(text)["input_ids"], model.tokenizer.eos_token_id, *[5] * 99])

    def forward(module, inputs, output):
        output.logits[:, -1] = 0.0
        output.logits[:, -1, next(steps)] = 9.0

    model.backbone.register_forward_hook(forward)


@pytest.mark.parametrize("beams", [1, 3])
def test_a_batch_of_one_is_a_batch_of_many(model, beams):
    task = model.tasks["title"].replace(beams=beams)
    prompts = encode(model, LONG)["prompt:title"][:]
    assert len({len(prompt) for prompt in prompts}) > 3
    together = generate(model, task, prompts)
    assert together == [generate(model, task, [prompt])[0] for prompt in prompts]
    assert len(set(together)) > 1
    assert together == generate(model, task, prompts)


def test_greedy_takes_the_most_probable_token_each_time(model):
    prompt = encode(model, TEXTS[:1])["prompt:title"][0]
    tokens = list(prompt)
    for _ in range(model.tasks["title"].max_new_tokens):
        token = int(model.backbone(input_ids=torch.tensor([tokens])).logits[0, -1].argmax())
        tokens.append(token)
        if token == model.tokenizer.eos_token_id:
            break
    expected = model.tokenizer.decode(tokens[len(prompt) :], skip_special_tokens=True).strip()
    assert generate(model, model.tasks["title"], [prompt]) == [expected]


def test_beams_look_further(model):
    prompts = encode(model, LONG)["prompt:title"][:]
    texts = {beams: generate(model, model.tasks["title"].replace(beams=beams), prompts) for beams in (1, 4)}
    assert texts[1] != texts[4]


@pytest.mark.parametrize(("said", "expected"), [("", ""), (" ", ""), ("ok", "ok"), (" a b\n", "a b")])
def test_it_stops_at_the_end(model, said, expected):
    prompts = encode(model, TEXTS)["prompt:title"][:]
    say(model, said)
    task = model.tasks["title"].replace(max_new_tokens=20)
    assert generate(model, task, prompts) == [expected] * len(prompts)


@pytest.mark.parametrize(
    ("said", "text", "is_complete"),
    [("abcdefghij", "abcdef", False), ("abcdef", "abcdef", False), ("abcde", "abcde", True)],
)
def test_it_stops_at_the_limit_and_says_what_is_cut(model, said, text, is_complete):
    prompts = encode(model, TEXTS)["prompt:title"][:]
    say(model, said)
    assert write(model, model.tasks["title"], prompts) == [Written(text, is_complete)] * len(prompts)


def test_a_batch_says_which_texts_are_cut(model):
    steps = iter(zip(*[[40, 41, 2, 2], [40, 41, 42, 43]], strict=True))

    def forward(module, inputs, output):
        output.logits[:, -1] = 0.0
        output.logits[range(2), -1, next(steps)] = 9.0

    model.backbone.register_forward_hook(forward)
    prompts = encode(model, TEXTS[:2])["prompt:title"][:]
    written = write(model, model.tasks["title"].replace(max_new_tokens=4), prompts)
    assert model.tokenizer.eos_token_id == 2
    assert [one.is_complete for one in written] == [True, False]


def test_what_the_model_writes_is_never_a_special_token(model):
    prompts = encode(model, TEXTS[:1])["prompt:title"][:]
    say(model, "a<start>b<unk>c")
    assert generate(model, model.tasks["title"].replace(max_new_tokens=20), prompts) == ["abc"]


def test_texts_come_back_in_the_order_of_their_rows(model):
    rows = encode(model, LONG)
    texts = predict(model, rows, "title")["title"]
    assert texts.dtype == object
    assert list(texts) == generate(model, model.tasks["title"], rows["prompt:title"][:])
    assert list(predict(model, rows, "title", batch_size=2)["title"]) == list(texts)


def test_the_bar_reaches_its_end(tiny_llm):
    class Bar:
        done = 0

        def advance(self, units):
            self.done += units

    model, bar = make_model(tiny_llm, make_tasks()), Bar()
    wanted = {"polarity": np.array([0, 3]), "emotions": np.array([1, 3]), "title": np.array([0, 2])}
    infer(model, encode(model, TEXTS), wanted, 2, bar)
    assert bar.done == count_work(model, wanted) == 3 + 2
    assert count_work(model, {"title": np.array([0, 2])}) == 2


def test_the_predictor_writes(tiny_llm):
    model = make_model(tiny_llm, make_tasks(intensity="head"))
    answers = Predictor(model).predict([TEXTS[0], TEXTS[1], TEXTS[0]])
    assert answers[0] == answers[2]
    assert set(answers[0]) == {"text", "polarity", "intensity", "emotions", "title"}
    assert isinstance(answers[0]["title"]["text"], str)
    assert set(answers[0]["polarity"]["probabilities"]) == {"bad", "so so", "good"}
    (alone,) = Predictor(model).predict(TEXTS[1], tasks="title")
    assert alone["title"] == answers[1]["title"]
