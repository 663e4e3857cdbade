"""Which words decided an answer: the sum is right, the places are right, and the words matter."""

import json
import random
import sys

import numpy as np
import pytest
import torch
from datasets import Dataset

from corpus import BAD, GOOD, THINGS
from equipoise.cli import main
from equipoise.data import tokenize
from equipoise.errors import ModelError, UsageError
from equipoise.kinds import Classification, Multilabel, Ordinal, Regression
from equipoise.modeling import MultiTaskModel, Predictor, load_backbone
from equipoise.modeling.attribution import LEAST, SHARE
from prompted import make_model, make_tasks

VIEW = ("s", "text", None, "label")
TASKS = {
    "polarity": Classification("polarity", *VIEW, "macro_f1", ("bad", "good")),
    "stars": Ordinal("stars", *VIEW, "qwk", ("1", "2", "3")),
    "score": Regression("score", *VIEW, "pearson", (-1.0, 1.0), mean=0.1, std=0.5),
    "words": Multilabel("words", *VIEW, "macro_f1", ("praise", "blame"), thresholds=(0.5, 0.5)),
    "towards": Classification("towards", "s", "text", "aspect", "label", "macro_f1", ("bad", "good")),
}
ONE_NUMBER = [name for name in TASKS if name != "words"]
TEXTS = ["The good film isn't good, it is AWFUL 😀.", "great", "a bad phone and a sad place with very slow service"]


def draw_texts(count, seed):
    draw = random.Random(seed)
    texts, scores = [], []
    for _ in range(count):
        words = [draw.choice(draw.choice((GOOD, BAD, THINGS, THINGS))) for _ in range(draw.randint(4, 9))]
        texts.append(" ".join(words))
        scores.append(sum((word in GOOD) - (word in BAD) for word in words))
    return texts, torch.tensor(scores)


def learn(model, seed=0):
    """Let the heads learn that good words are good."""
    texts, scores = draw_texts(512, seed)
    targets = {
        "polarity": (scores > 0).long(),
        "stars": scores.sign().long() + 1,
        "score": (scores / 4).clamp(-1, 1).float(),
        "words": torch.stack([scores > 0, scores < 0], dim=1).float(),
        "towards": (scores > 0).long(),
    }
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    model.train()
    for step in range(60):
        chosen = torch.arange(step * 32, step * 32 + 32) % len(texts)
        batch = model.tokenizer([texts[row] for row in chosen], padding=True, return_tensors="pt")
        inputs = {name: batch[name] for name in model.tokenizer.model_input_names if name in batch}
        losses = model.losses(model(inputs), {name: targets[name][chosen] for name in model.tasks})
        optimizer.zero_grad()
        sum(loss.mean() for loss in losses.values()).backward()
        optimizer.step()
    for parameter in model.parameters():
        parameter.grad = None
    return model.eval()


@pytest.fixture(scope="module")
def predictor(tiny_model):
    torch.manual_seed(0)
    return Predictor(learn(MultiTaskModel(*load_backbone(str(tiny_model)), TASKS, max_length=32)))


@pytest.fixture(scope="module")
def explained(predictor):
    return predictor.predict(TEXTS, "the film", explain=True)


def parts(answer):
    """The explanations of one answer: words, words of the pair, what they are of."""
    if "unit" in answer["explained"]:
        return [(answer["words"], answer.get("pair_words", []), answer["explained"])]
    return [(answer["words"][name], [], answer["explained"][name]) for name in answer["explained"]]


def check_sum(words, of):
    difference = of["output"] - of["baseline"]
    assert sum(word["weight"] for word in words) == pytest.approx(difference - of["gap"], abs=1e-4)
    assert abs(of["gap"]) <= max(LEAST, SHARE * abs(difference))


def test_the_weights_add_up(explained):
    for answer in explained:
        for name in TASKS:
            for words, pair_words, of in parts(answer[name]):
                check_sum(words + pair_words, of)
    # Not because there is nothing to add up.
    for name in ONE_NUMBER:
        of = [answer[name]["explained"] for answer in explained]
        assert any(abs(one["output"] - one["baseline"]) > 0.3 for one in of)


def test_what_is_explained_is_the_answer(explained):
    for answer in explained:
        score, stars = answer["score"], answer["stars"]
        assert score["explained"]["of"] == "score"
        assert np.clip(score["explained"]["output"], -1, 1) == pytest.approx(score["score"], abs=1e-5)
        assert stars["explained"]["output"] == pytest.approx(stars["expected_rank"], abs=1e-5)
        for name in ("polarity", "towards"):
            of, chance = answer[name]["explained"], max(answer[name]["probabilities"].values())
            assert (of["of"], of["unit"]) == (answer[name]["label"], "log-odds")
            assert 1 / (1 + np.exp(-of["output"])) == pytest.approx(chance, abs=1e-6)
        words = answer["words"]
        assert list(words["explained"]) == list(words["words"]) == words["labels"]
        for name, of in words["explained"].items():
            assert 1 / (1 + np.exp(-of["output"])) == pytest.approx(words["probabilities"][name], abs=1e-5)


def test_words_have_places_in_the_users_own_texts(explained):
    for text, answer in zip(TEXTS, explained, strict=True):
        for name in ONE_NUMBER:
            for word in answer[name]["words"]:
                assert text[word["start"] : word["end"]] == word["word"]
        assert "pair_words" not in answer["polarity"]
        assert [word["word"] for word in answer["towards"]["pair_words"]] == ["the", "film"]
    first = [word["word"] for word in explained[0]["polarity"]["words"]]
    assert first == ["The", "good", "film", "isn't", "good", ",", "it", "is", "AWFUL", "😀", "."]


def test_the_answers_are_the_same_to_the_bit_and_the_model_too(predictor):
    model = predictor.model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    learning = [parameter.requires_grad for parameter in model.parameters()]
    plain = predictor.predict(TEXTS, "the film")
    for answer, expected in zip(predictor.predict(TEXTS, "the film", explain=4), plain, strict=True):
        for name in TASKS:
            for part in ("words", "pair_words", "explained"):
                answer[name].pop(part, None)
        assert answer == expected
    assert predictor.predict(TEXTS, "the film") == plain
    assert all(parameter.grad is None for parameter in model.parameters())
    assert [parameter.requires_grad for parameter in model.parameters()] == learning
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_the_gradients_are_those_of_a_plain_sum(predictor):
    """The same integral by the midpoint rule, in the open."""
    model = predictor.model
    text = "a bad phone and a good film"
    batch = dict(model.tokenizer(text, return_tensors="pt"))
    table = model.backbone.get_input_embeddings()
    embedded = table(batch["input_ids"]).detach()
    nothing = embedded.clone()
    nothing[:, 1:-1] = table.weight[model.tokenizer.mask_token_id].detach()
    total = torch.zeros_like(embedded)
    for step in range(200):
        point = (nothing + (step + 0.5) / 200 * (embedded - nothing)).requires_grad_(True)
        hook = table.register_forward_hook(lambda *_, point=point: point)
        model({name: batch[name] for name in batch})["score"].sum().mul(0.5).backward(inputs=[point])
        hook.remove()
        total += point.grad / 200
    expected = (total * (embedded - nothing)).sum(-1)[0, 1:-1]
    found = [word["weight"] for word in predictor.predict(text, tasks="score", explain=64)[0]["score"]["words"]]
    np.testing.assert_allclose(found, expected.tolist(), atol=2e-4)


def test_batches_change_nothing(predictor):
    texts = [*TEXTS, TEXTS[0], "good"]
    one, many = (predictor.predict(texts, tasks="polarity", explain=16, batch_size=size) for size in (1, 64))
    assert one[0]["polarity"]["words"] == one[3]["polarity"]["words"]
    for left, right in zip(one, many, strict=True):
        weights = [[word["weight"] for word in answer["polarity"]["words"]] for answer in (left, right)]
        np.testing.assert_allclose(*weights, atol=1e-3)


def test_steps_are_doubled_where_the_sum_is_wrong(predictor):
    few, many = (predictor.predict(TEXTS, tasks="stars", explain=steps) for steps in (1, 32))
    assert max(answer["stars"]["explained"]["steps"] for answer in few) > 1
    assert all(answer["stars"]["explained"]["steps"] >= 32 for answer in many)


def test_without_the_top_words_the_probability_falls_more_than_without_random_ones(predictor):
    texts, _ = draw_texts(40, seed=1)
    draw = random.Random(0)
    answers = predictor.predict(texts, tasks="polarity", explain=True)
    labels = [answer["polarity"]["label"] for answer in answers]

    def drop(chosen):
        """The mean fall of the probability of what was predicted."""
        left = [" ".join(w for n, w in enumerate(t.split()) if n not in c) for t, c in zip(texts, chosen, strict=True)]
        after = predictor.predict(left, tasks="polarity")
        return np.mean(
            [
                one["polarity"]["probabilities"][label] - other["polarity"]["probabilities"][label]
                for one, other, label in zip(answers, after, labels, strict=True)
            ]
        )

    weights = [[word["weight"] for word in answer["polarity"]["words"]] for answer in answers]
    top = drop([set(np.argsort(of_text)[-2:].tolist()) for of_text in weights])
    at_random = [drop([set(draw.sample(range(len(one)), 2)) for one in weights]) for _ in range(3)]
    assert top > max(at_random) + 0.1


def test_of_a_text_in_windows_the_mean_is_explained(predictor):
    windowed = Predictor(predictor.model.with_long_texts("windows"))
    text = " ".join(draw_texts(12, seed=3)[0])
    answer = windowed.predict(text, tasks=["score", "polarity"], explain=True)[0]
    words = answer["score"]["words"]
    assert " ".join(word["word"] for word in words) == text
    of = answer["score"]["explained"]
    assert of["output"] == pytest.approx(answer["score"]["score"], abs=1e-4)  # a score is a mean over windows itself
    check_sum(words, of)
    short = "good film"
    assert windowed.predict(short, tasks="score", explain=True) == predictor.predict(short, tasks="score", explain=True)


def test_a_decoder_that_pads_on_the_left(tiny_llm):
    torch.manual_seed(0)
    backbone, tokenizer = load_backbone(str(tiny_llm))
    tokenizer.padding_side = "left"
    model = MultiTaskModel(backbone, tokenizer, {"score": TASKS["score"]}, max_length=64)
    with torch.no_grad():
        model.head("score").layers[-1].weight.mul_(20)
    together = Predictor(model.eval()).predict(TEXTS, explain=True)
    for text, answer in zip(TEXTS, together, strict=True):
        of, words = answer["score"]["explained"], answer["score"]["words"]
        check_sum(words, of)
        alone = Predictor(model).predict(text, explain=True)[0]["score"]["words"]
        np.testing.assert_allclose([w["weight"] for w in words], [w["weight"] for w in alone], atol=1e-3)


def test_no_texts_and_no_labels(predictor):
    assert predictor.predict([], tasks="score", explain=True) == []
    strict = {**TASKS, "words": TASKS["words"].replace(thresholds=(1.0, 1.0))}
    answer = Predictor(predictor.model.with_tasks(strict)).predict("good", tasks="words", explain=True)[0]["words"]
    assert (answer["labels"], answer["words"], answer["explained"]) == ([], {}, {})


def test_what_cannot_be_explained(predictor, tiny_llm, monkeypatch):
    with pytest.raises(UsageError, match=r"explain: found 0\.5, expected true, or steps of the integral, 1 to 512"):
        predictor.predict("good", tasks="score", explain=0.5)
    prompted = Predictor(make_model(tiny_llm, make_tasks(intensity="head")).eval())
    with pytest.raises(UsageError, match=r"format: prompt.*not texts that are written\. Choose such tasks \(--task\)"):
        prompted.predict("good film", explain=True)
    with pytest.raises(UsageError, match="also answers prompts"):
        prompted.predict("good film", tasks="intensity", explain=True)
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(ModelError, match=r'pip install "equipoise\[explain\]"'):
        predictor.predict("good", tasks="score", explain=True)


def test_the_command(predictor, tmp_path, capsys, monkeypatch):
    predictor.model.save_pretrained(tmp_path / "model")
    arguments = ["predict", str(tmp_path / "model"), "good film", "--task", "score"]

    def call(*options):
        monkeypatch.setattr(sys, "argv", ["equipoise", *arguments, *options])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert not stopped.value.code
        return json.loads(capsys.readouterr().out)["score"]

    found = call("--explain")
    assert [word["word"] for word in found["words"]] == ["good", "film"]
    assert found["explained"]["steps"] >= 32
    assert call("--explain-steps", "5")["explained"]["steps"] >= 5


def test_places_in_a_pair_where_only_the_tokenizer_knows_how_texts_are_joined(predictor, monkeypatch):
    rows = Dataset.from_dict({"text": ["good film", "bad", "so"], "pair": ["my phone", None, "a"]})
    tokenizer = predictor.model.tokenizer
    found, _ = tokenize(rows, tokenizer, 32, offsets="pair")
    assert found["pair_start"][:] == [4, 0, 3]
    assert found["pair_offsets"][:] == [[0, 2, 3, 8], [], [0, 1]]
    monkeypatch.setattr("equipoise.data.text_encoder._find_frame", lambda *_: None)
    assert tokenize(rows, tokenizer, 32, offsets="pair")[0].to_list() == found.to_list()
