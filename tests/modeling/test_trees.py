"""Every language model gives a question the log-probabilities that it gives alone."""

import datasets
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from architectures import DECODERS, save_architecture
from equipoise.modeling import Prefix, infer
from prompted import TEXTS, make_model, make_tasks, score_alone

_LONG = "the film and the plot and the actor were good " * 4


@pytest.mark.parametrize("name", DECODERS)
def test_answers_are_scored_as_by_the_model_itself(tmp_path, tiny_llm, name):
    """Also where it attends within a window, counts positions by itself, or is recurrent."""
    tasks = {name: task for name, task in make_tasks().items() if name in ("polarity", "emotions")}
    model = make_model(save_architecture(name, tiny_llm, tmp_path), tasks)
    plain = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    scores = {name: [] for name in tasks}
    for task, found in scores.items():
        model.head(task).register_forward_hook(lambda module, given, output, found=found: found.extend(given[0]))
    check_scores(model, plain, scores, [])
    before = model.tokenizer("so you really hate this place and that market, " * 2)["input_ids"]
    model.prefix = Prefix(model.backbone, before, cached=model.reads_trees)
    check_scores(model, plain, scores, before)


def check_scores(model, plain, scores, before):
    for found in scores.values():
        found.clear()
    texts = [*TEXTS, _LONG]
    every = {task: np.arange(len(texts)) for task in scores}
    rows, _ = model.encode_rows(datasets.Dataset.from_dict({"text": texts, "pair": [None] * len(texts)}), every)
    infer(model, rows, every, 1)
    # Longest first.
    order = np.argsort([-len(ids) for ids in rows["input_ids"]], kind="stable")
    for task, found in scores.items():
        for row, values in zip(order, found, strict=True):
            expected = []
            for number, question in enumerate(model.tasks[task].questions()):
                asked = model.prompts.ask(task, number, texts[row])
                for answer in question.answers:
                    whole = model.prompts.ask(task, number, texts[row], answer=answer)
                    expected.append(score_alone(plain, before + asked, whole[len(asked) :]))
            np.testing.assert_allclose(values, torch.tensor(expected), rtol=1e-5, atol=1e-5)
