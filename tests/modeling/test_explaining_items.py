"""Which words decided that an aspect, or an opinion, was found: of each item, whose number the weights add up to."""

import random

import numpy as np
import pytest
import torch
from datasets import Dataset

from equipoise.kinds import Extraction, Quads, Regression, Triplets, make_objective
from equipoise.modeling import MultiTaskModel, Predictor, load_backbone, make_batch
from equipoise.modeling.attribution import LEAST, SHARE

VIEW = ("s", "text", None, "label")
POLARITIES = ("negative", "positive")
TASKS = {
    "aspects": Extraction("aspects", *VIEW, "extraction_f1", classes=POLARITIES, whole_words=True),
    "triplets": Triplets("triplets", *VIEW, "triplet_f1", classes=POLARITIES, whole_words=True),
    "quads": Quads("quads", *VIEW, "quad_f1", classes=POLARITIES, categories=("things", "people"), whole_words=True),
    "score": Regression("score", *VIEW, "pearson", (-1.0, 1.0), mean=0.0, std=1.0),
}
NOUNS = ("camera", "battery", "phone", "screen", "staff")
WORDS = {"good": "positive", "great": "positive", "bad": "negative", "awful": "negative"}


def draw(count, seed):
    """Texts that say of one or two things what they are like, and the labels of the tasks."""
    chance = random.Random(seed)
    texts, labels = [], {name: [] for name in TASKS if name != "score"}
    for _ in range(count):
        text, found = "so i was there", []
        for noun in chance.sample(NOUNS, chance.choice((1, 2))):
            word = chance.choice(list(WORDS))
            text += f" and the {noun} was {word}"
            found.append({"term": noun, "opinion": word, "polarity": WORDS[word]})
        texts.append(text)
        labels["aspects"].append([{"term": one["term"], "polarity": one["polarity"]} for one in found])
        labels["triplets"].append(found)
        labels["quads"].append([{**one, "category": "people" if one["term"] == "staff" else "things"} for one in found])
    return texts, labels


@pytest.fixture(scope="module")
def model(tiny_model):
    """A tiny model that has learnt them."""
    torch.manual_seed(0)
    model = MultiTaskModel(*load_backbone(str(tiny_model)), TASKS, max_length=32)
    texts, labels = draw(320, seed=0)
    encoded = {
        name: [
            TASKS[name].encode(TASKS[name].locate(TASKS[name].parse(one), text))
            for one, text in zip(found, texts, strict=True)
        ]
        for name, found in labels.items()
    }
    dataset = Dataset.from_dict({"text": texts, "pair": [None] * len(texts)})
    rows = model.encode_rows(dataset, {}, places=True)[0].to_list()
    targets = {
        name: [
            torch.from_numpy(TASKS[name].cell_targets(label, text, np.reshape(row["offsets"], (-1, 2))))
            for label, text, row in zip(found, texts, rows, strict=True)
        ]
        for name, found in encoded.items()
    }
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    model.train()
    for step in range(60):
        chosen = [number % len(rows) for number in range(step * 16, step * 16 + 16)]
        every = np.arange(len(chosen))
        outputs = model(*make_batch(model, [rows[number] for number in chosen], dict.fromkeys(targets, every)))
        wanted = {name: torch.cat([of_task[number] for number in chosen]) for name, of_task in targets.items()}
        losses = model.losses(outputs, wanted)
        optimizer.zero_grad()
        sum(loss.mean() for loss in losses.values()).backward()
        optimizer.step()
    return model.eval()


@pytest.fixture(scope="module")
def predictor(model):
    return Predictor(model)


LISTS = [name for name in TASKS if name != "score"]


def check_sum(item):
    of = item["explained"]
    difference = of["output"] - of["baseline"]
    assert sum(word["weight"] for word in item["words"]) == pytest.approx(difference - of["gap"], abs=1e-3)
    assert abs(of["gap"]) <= max(LEAST, SHARE * abs(difference))


@pytest.mark.parametrize("task", LISTS)
def test_each_item_has_words_whose_weights_add_up(predictor, task):
    texts, _ = draw(4, seed=1)
    answers = predictor.predict(texts, tasks=task, explain=True)
    plain = predictor.predict(texts, tasks=task)
    assert sum(len(answer[task]) for answer in answers) >= 3  # it has learnt
    for text, answer, before in zip(texts, answers, plain, strict=True):
        assert [item | {"words": 0, "explained": 0} for item in before[task]] == [
            item | {"words": 0, "explained": 0} for item in answer[task]
        ]
        for item in answer[task]:
            check_sum(item)
            assert [text[word["start"] : word["end"]] for word in item["words"]] == text.split()
            assert item["explained"]["of"].startswith(item.get("category", item["term"]))
            assert item["polarity"] in item["explained"]["of"]
            assert item["explained"]["unit"] == "log-odds"


def test_what_is_explained_of_a_term_is_how_sure_it_is(predictor):
    """A term of one token: the score is the probability of its tag."""
    texts, _ = draw(8, seed=2)
    for answer in predictor.predict(texts, tasks="aspects", explain=4):
        for item in answer["aspects"]:
            pieces = predictor.model.tokenizer.tokenize(item["term"])
            if len(pieces) == 1:
                assert 1 / (1 + np.exp(-item["explained"]["output"])) == pytest.approx(item["score"], abs=1e-3)


@pytest.mark.parametrize("task", ["triplets", "quads"])
def test_what_is_explained_of_an_opinion_is_the_product_of_its_parts(task):
    objective = make_objective(TASKS[task])
    torch.manual_seed(0)
    grid = TASKS[task].grid
    outputs = torch.cat([3 * torch.randn(6, grid.n_outputs), torch.full((6, 1), 5.0)], dim=1)
    what, polarity, category = objective.predict(outputs).split([4, grid.polarities, grid.categories], dim=1)
    for number in range(grid.polarities * grid.categories):
        chance = what[:, 3] * polarity[:, number % grid.polarities] * category[:, number // grid.polarities]
        found = objective.explained(outputs, torch.full((6,), 3 + number))
        torch.testing.assert_close(found.sigmoid(), chance, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("task", LISTS)
def test_without_its_top_words_an_item_is_less_sure_than_without_random_ones(predictor, task):
    texts, _ = draw(16, seed=3)
    chance = random.Random(0)
    items, top, at_random = [], [], []
    for text, answer in zip(texts, predictor.predict(texts, tasks=task, explain=8), strict=True):
        for item in answer[task]:
            items.append(item)
            heaviest = max(item["words"], key=lambda word: word["weight"])
            for shorter, word in ((top, heaviest), (at_random, chance.choice(item["words"]))):
                shorter.append(text[: word["start"]] + "it" + text[word["end"] :])

    def sureness(texts):
        found = []
        for item, answer in zip(items, predictor.predict(texts, tasks=task), strict=True):
            alike = [one for one in answer[task] if (one["term"], one["polarity"]) == (item["term"], item["polarity"])]
            found.append(max((one["score"] for one in alike), default=0.0))
        return np.mean(found)

    assert sureness(top) < sureness(at_random) - 0.1


def test_batches_and_other_heads_change_nothing(predictor):
    texts, _ = draw(3, seed=4)
    one, many = (predictor.predict(texts, explain=4, batch_size=size) for size in (1, 64))
    for left, right in zip(one, many, strict=True):
        for task in LISTS:
            for item, other in zip(left[task], right[task], strict=True):
                weights = [[word["weight"] for word in found["words"]] for found in (item, other)]
                np.testing.assert_allclose(*weights, atol=2e-3)
        assert left["score"]["words"]


def test_of_a_text_in_windows_an_item_is_explained_in_those_that_hold_it(predictor):
    windowed = Predictor(predictor.model.with_long_texts("windows"))
    text = " ".join(draw(4, seed=5)[0])
    items = windowed.predict(text, tasks="aspects", explain=True)[0]["aspects"]
    assert len(items) >= 3
    for item in items:
        check_sum(item)
        assert all(text[word["start"] : word["end"]] == word["word"] for word in item["words"])
        read = (item["words"][0]["start"], item["words"][-1]["end"])
        assert read[0] <= item["start"] < item["end"] <= read[1]
        assert read != (0, len(text))


def test_two_items_of_one_name_are_told_apart():
    twice = (
        '[{"term":"a","start":0,"end":1,"polarity":"negative"},{"term":"a","start":4,"end":5,"polarity":"negative"}]'
    )
    found = TASKS["aspects"].explained(twice)
    assert list(found) == ["a – negative", "a – negative (2)"]
    assert [place.count('"start":4') for place in found.values()] == [0, 1]
    assert TASKS["aspects"].add_explained([], {}) == []
