"""A prefix read once is the same as a prefix read with every row."""

import numpy as np
import pytest
import torch
from datasets import Dataset

from equipoise.data import ChatStyle, demonstrate
from equipoise.data.demonstrations import Demonstration
from equipoise.kinds import Classification, Generation
from equipoise.modeling import MultiTaskModel, infer, load_backbone

POLARITY = Classification("p", "s", "text", None, "label", "macro_f1", ("bad", "good", "nice film"), format="prompt")
TEXTS = ["good film", "a bad phone and a sad place with very slow service", "the"]


@pytest.fixture(scope="module")
def loaded(tiny_llm):
    return load_backbone(str(tiny_llm), language_model=True)


def with_prefix(loaded, task, answer):
    examples = [(Demonstration(0, 0, answer), "a great price", None)]
    found = demonstrate(loaded[1], task, examples, 150, ChatStyle(), None)
    model = MultiTaskModel(*loaded, {"p": task}, 150).eval()
    model = model.with_prompts(found.prompts, found.tokens)
    return model, found


def predict(model, batch_size):
    every = {"p": np.arange(len(TEXTS))}
    rows, _ = model.encode_rows(Dataset.from_dict({"text": TEXTS, "pair": [None] * len(TEXTS)}), every)
    return infer(model, rows, every, batch_size)["p"]


@pytest.mark.parametrize("batch_size", [1, 3])
def test_scores_are_those_of_the_whole_prompt(loaded, batch_size):
    check_scores(loaded, batch_size)


@pytest.mark.starter
def test_scores_of_the_starter_are_those_of_the_whole_prompt(smollm2):
    check_scores(load_backbone(str(smollm2), language_model=True), 3)


def check_scores(loaded, batch_size):
    model, found = with_prefix(loaded, POLARITY, "good")
    backbone = model.backbone
    probabilities = predict(model, batch_size)
    for row, text in enumerate(TEXTS):
        asked = found.tokens + found.prompts.ask("p", 0, text)
        scores = []
        for answer in POLARITY.classes:
            whole = found.tokens + found.prompts.ask("p", 0, text, answer=answer)
            with torch.no_grad():
                log = backbone(torch.tensor([whole])).logits[0].log_softmax(-1)
            scores.append(sum(log[place - 1, whole[place]] for place in range(len(asked), len(whole))))
        np.testing.assert_allclose(probabilities[row], torch.stack(scores).softmax(0), atol=1e-5)


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_texts_are_those_of_the_whole_prompt(loaded, beams, batch_size):
    backbone, tokenizer = loaded
    task = Generation("p", "s", "text", None, "title", "rouge_l", max_new_tokens=6, beams=beams)
    model, found = with_prefix(loaded, task, "great price")
    for text, written in zip(TEXTS, predict(model, batch_size), strict=True):
        whole = torch.tensor([found.tokens + found.prompts.ask("p", 0, text)])
        plain = backbone.generate(
            whole, attention_mask=torch.ones_like(whole), max_new_tokens=6, num_beams=beams, do_sample=False
        )
        assert written == tokenizer.decode(plain[0, whole.shape[1] :], skip_special_tokens=True).strip()


def test_it_is_read_once(loaded):
    model, found = with_prefix(loaded, POLARITY, "good")
    seen = []
    hook = loaded[0].base_model.layers[0].register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[1]))
    predict(model, 3)
    hook.remove()
    assert max(seen) < len(found.tokens) + len(found.prompts.ask("p", 0, TEXTS[2]))
    assert len(seen) == 1
