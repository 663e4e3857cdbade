"""Heads that read tokens, on encoders and decoders, beside heads and prompts."""

import json

import numpy as np
import pytest
import torch
from datasets import Dataset

from equipoise.data import Collator
from equipoise.kinds import Classification, Extraction, Triplets
from equipoise.modeling import MultiTaskModel, infer, load_backbone

TEXTS = ["the camera was good", "bad", "it is a very good film and the plot was great"]
LABELS = [
    [{"term": "camera", "start": 4, "end": 10, "polarity": "x"}],
    [],
    [{"term": "film", "start": 18, "end": 22, "polarity": "x"}],
]


def make_tasks(**more):
    return {
        "terms": Extraction("terms", "s", "text", None, "terms", "extraction_f1", ("x", "y"), whole_words=True),
        "opinions": Triplets("opinions", "s", "text", None, "opinions", "triplet_f1", ("x", "y"), whole_words=True),
        "tone": Classification("tone", "s", "text", None, "tone", "macro_f1", ("x", "y"), **more),
    }


def make(folder, **more):
    torch.manual_seed(0)
    backbone = load_backbone(str(folder), language_model=bool(more))
    return MultiTaskModel(*backbone, make_tasks(**more), 128).eval()


def encode(model, tasks):
    table = Dataset.from_dict(
        {
            "text": TEXTS,
            "pair": [None] * 3,
            "label:terms": [json.dumps(label) for label in LABELS],
            "label:opinions": ["[]"] * 3,
            "label:tone": [0, 1, None],
        }
    )
    return model.encode_rows(table, {task: np.arange(3) for task in tasks})[0]


def test_new_heads_take_tokens_for_outside_of_all_terms(tiny_model):
    """So that the first losses are about terms: what a task has left to learn is measured against them."""
    model = make(tiny_model)
    features = torch.randn(50, model.head("terms").layers[1].in_features)
    tags = model.head("terms")(features, torch.tensor([50])).softmax(dim=-1)
    assert tags[:, 0].mean() > 0.8
    cells = model.head("opinions")(features, torch.tensor([50]))[:, :4].softmax(dim=-1)
    assert cells[:, 0].mean() > 0.8


@pytest.mark.parametrize(("model", "more"), [("tiny_model", {}), ("tiny_llm", {}), ("tiny_llm", {"format": "prompt"})])
def test_a_row_is_answered_alike_alone_and_among_others(request, model, more):
    model = make(request.getfixturevalue(model), **more)
    rows = encode(model, model.tasks)
    every = {task: np.arange(3) for task in model.tasks}
    together = infer(model, rows, every, 3)
    for row in range(3):
        alone = infer(model, rows, {task: np.array([row]) for task in model.tasks}, 1)
        np.testing.assert_allclose(alone["tone"][0], together["tone"][row], atol=1e-5)
        for task in ("terms", "opinions"):
            one, other = json.loads(alone[task][0]), json.loads(together[task][row])
            assert [{**item, "score": 0} for item in one] == [{**item, "score": 0} for item in other]


@pytest.mark.parametrize("model", ["tiny_model", "tiny_llm"])
def test_the_balancer_sees_tokens_as_rows_of_the_features(request, model):
    model = make(request.getfixturevalue(model)).train()
    batch = Collator(model.tokenizer, model.tasks)(encode(model, model.tasks).to_list())
    seen = []
    hook = model.features.register_forward_hook(lambda module, given, features: seen.append(features))
    outputs = model(batch["inputs"], batch["rows"], batch["scored"])
    hook.remove()
    tokens = int(batch["scored"]["terms"]["counts"].sum())
    # Each token once, although two tasks read it.
    assert len(seen[0]) == 3 + tokens
    assert len(outputs["terms"]) == len(batch["targets"]["terms"]) == tokens
    assert len(outputs["opinions"]) == int((batch["scored"]["opinions"]["counts"] ** 2).sum())
    losses = model.losses(outputs, batch["targets"])
    [gradient] = torch.autograd.grad(losses["terms"].mean(), seen, retain_graph=True)
    assert (gradient[:3] == 0).all()
    assert (gradient[3:] != 0).any(dim=1).all()


def test_a_task_without_rows_is_part_of_the_graph(tiny_model):
    model = make(tiny_model).train()
    rows = encode(model, model.tasks).to_list()
    for row in rows:
        row["label:terms"] = row["label:opinions"] = None
    batch = Collator(model.tokenizer, model.tasks)(rows)
    outputs = model(batch["inputs"], batch["rows"], batch["scored"])
    losses = model.losses(outputs, batch["targets"])
    assert len(losses["terms"]) == len(losses["opinions"]) == 0
    sum(loss.sum() for loss in losses.values()).backward()
    for task in ("terms", "opinions"):
        assert all(parameter.grad is not None for parameter in model.head(task).parameters())
