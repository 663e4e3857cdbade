"""Tasks in the format `prompt`: answers scored in one packed forward."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from equipoise.kinds import Classification
from equipoise.kinds.prompts import make_grid
from prompted import PAIRS, TEXTS, ask, encode, make_batch, make_model, make_tasks, predict, run_batch, score_alone

QUESTIONS = {
    "polarity": ["What is the polarity of the text above{}? Answer with one of: bad, no idea or good."],
    "intensity": ["What is the intensity of the text above{}, from -1.0 to 1.0? Answer with a number."],
    "emotions": [
        f'Does the emotions "{name}" apply to the text above{{}}? Answer yes or no.' for name in ("joy", "fear")
    ],
}
ANSWERS = {"polarity": ("bad", "no idea", "good"), "intensity": make_grid(-1, 1), "emotions": ("no", "yes")}
PLAIN = TEXTS[:3]


def scores_alone(model, texts, pairs):
    """For each task the answers' log-probabilities, rows × answers, each by a forward of its own."""
    found = {}
    for task, questions in QUESTIONS.items():
        rows = []
        for text, pair in zip(texts, pairs or [None] * len(texts), strict=True):
            towards = f' towards "{pair}"' if pair else ""
            prompts = [ask(model.tokenizer, f"{text}\n\n{question.format(towards)}") for question in questions]
            answers = [model.tokenizer(answer)["input_ids"] for answer in ANSWERS[task]]
            rows.append([score_alone(model.backbone, prompt, answer) for prompt in prompts for answer in answers])
        found[task] = torch.tensor(rows)
    return found


def expected_predictions(scores):
    """The probabilities, means and yes-shares that the scores say."""
    grid = torch.tensor([float(word) for word in ANSWERS["intensity"]])
    return {
        "polarity": scores["polarity"].softmax(dim=1),
        "intensity": scores["intensity"].softmax(dim=1) @ grid,
        "emotions": scores["emotions"].view(-1, 2, 2).softmax(dim=2)[..., 1],
    }


@pytest.mark.parametrize("pair", [None, "aspect"])
@pytest.mark.parametrize("formats", [{}, {"polarity": "head"}])
def test_packed_scoring_is_scoring_every_answer_alone(tiny_llm, pair, formats):
    model = make_model(tiny_llm, make_tasks(pair, **formats))
    pairs = PAIRS[:3] if pair else None
    expected = expected_predictions(scores_alone(model, PLAIN, pairs))
    found = predict(model, encode(model, PLAIN, pairs), "polarity", "intensity", "emotions")
    for task in sorted(set(QUESTIONS) - set(formats)):
        np.testing.assert_allclose(found[task], expected[task], atol=1e-5)
    assert found["polarity"].sum(axis=1) == pytest.approx(1)


@pytest.mark.starter
def test_packed_scoring_of_a_real_model_is_scoring_every_answer_alone(smollm2):
    model = make_model(smollm2, make_tasks("aspect"))
    scores = scores_alone(model, PLAIN[:2], PAIRS[:2])
    rows = encode(model, PLAIN[:2], PAIRS[:2], polarity=[0, 1], intensity=[0, 1], emotions=[[0, 1], [1, 0]])
    with torch.no_grad():
        found = run_batch(model, make_batch(model, rows))
    torch.testing.assert_close(found["polarity"], scores["polarity"], atol=1e-4, rtol=1e-5)
    expected = expected_predictions(scores)
    for task, values in predict(model, encode(model, PLAIN[:2], PAIRS[:2]), *QUESTIONS).items():
        np.testing.assert_allclose(values, expected[task], atol=1e-4)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_scores_are_log_probabilities(tiny_llm, attention):
    model = make_model(tiny_llm, make_tasks())
    model.backbone.set_attn_implementation(attention)
    rows = encode(model, PLAIN, polarity=[0, 1, 2], emotions=[None, [1, 0], None])
    outputs = run_batch(model, make_batch(model, rows))
    scores = scores_alone(model, PLAIN, None)
    torch.testing.assert_close(outputs["polarity"], scores["polarity"], atol=1e-5, rtol=1e-5)
    yes = scores["emotions"].view(3, 2, 2)
    torch.testing.assert_close(outputs["emotions"], (yes[1:2, :, 1] - yes[1:2, :, 0]), atol=1e-5, rtol=1e-5)


def test_permuting_the_answers_permutes_their_probabilities(tiny_llm):
    template = "{text}\n\nGood or bad?"
    classes = ("bad", "so so", "good")
    found = []
    for order in (classes, classes[::-1]):
        task = Classification("tone", "s", "text", None, "label", "macro_f1", order, format="prompt", template=template)
        model = make_model(tiny_llm, {"tone": task})
        found.append(predict(model, encode(model, TEXTS), "tone")["tone"])
    np.testing.assert_allclose(found[0], found[1][:, ::-1], atol=1e-6)
    assert np.ptp(found[0], axis=1).min() > 1e-3


def test_batches_and_padding_change_nothing(tiny_llm):
    model = make_model(tiny_llm, make_tasks("aspect", intensity="head"))
    rows = encode(model, TEXTS, PAIRS)
    tasks = ("polarity", "intensity", "emotions")
    together = predict(model, rows, *tasks)
    one_by_one = predict(model, rows, *tasks, batch_size=1)
    for task in tasks:
        np.testing.assert_allclose(together[task], one_by_one[task], atol=1e-5)


def test_a_task_module_sees_no_question_no_answer_and_no_target(tiny_llm):
    """To the bit, also the gradients at the features."""
    found = []
    for template, title, labels in (
        ("{text}\n\nWhich one?", "good", [0, 1]),
        ("{text}\n\nWrong one?", "evil", [2, 0]),
    ):
        tasks = make_tasks(intensity="head")
        tasks["polarity"] = tasks["polarity"].replace(template=template)
        model = make_model(tiny_llm, tasks)
        rows = encode(model, TEXTS[:2], intensity=[0.5, -0.5], polarity=labels, title=[title] * 2)
        outputs = run_batch(model, make_batch(model, rows))
        own = outputs["intensity"]
        gradients = torch.autograd.grad(own.sum(), model.backbone.get_input_embeddings().weight)
        found.append((own, *gradients, outputs["polarity"], outputs["title"]))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])
    assert not torch.equal(found[0][2], found[1][2])
    assert not torch.equal(found[0][3], found[1][3])


def test_a_task_module_reads_what_it_reads_without_questions(tiny_llm):
    model = make_model(tiny_llm, make_tasks("aspect", intensity="head"))
    alone = encode(model, TEXTS, PAIRS, wanted={"intensity": range(4)})
    asked = encode(model, TEXTS, PAIRS)
    one, other = (predict(model, rows, "intensity")["intensity"] for rows in (alone, asked))
    np.testing.assert_allclose(one, other, atol=1e-6)
    assert all(rows["length"] < more["length"] for rows, more in zip(alone, asked, strict=True))


def test_the_loss_of_a_target_is_the_language_models_own(tiny_llm):
    model = make_model(tiny_llm, make_tasks("aspect", intensity="head"))
    titles = ["Love it", None, "so very <end> bad", "ok"]
    rows = encode(model, TEXTS, PAIRS, title=titles, polarity=[0, 1, None, 2], intensity=[0.1, 0.2, None, None])
    batch = make_batch(model, rows)
    losses = model.losses(run_batch(model, batch), batch["targets"])["title"]
    prompts = encode(model, TEXTS, PAIRS)["prompt:title"]
    total, count, sums = 0.0, 0, []
    for prompt, title in zip(prompts, titles, strict=True):
        if title is None:
            continue
        target = model.tokenizer(title, split_special_tokens=True)["input_ids"] + [model.tokenizer.eos_token_id]
        labels = torch.tensor([[-100] * len(prompt) + target])
        loss = model.backbone(input_ids=torch.tensor([prompt + target]), labels=labels).loss
        sums.append(loss.item() * len(target))
        total, count = total + loss.item() * len(target), count + len(target)
    assert len(losses) == count == len(batch["targets"]["title"])
    assert losses.mean().item() == pytest.approx(total / count, rel=1e-5)
    by_row = [losses[batch["rows"]["title"] == row].sum().item() for row in (0, 2, 3)]
    assert by_row == pytest.approx(sums, rel=1e-5)


def test_losses_by_hand(tiny_llm):
    model = make_model(tiny_llm, make_tasks())
    labels = {"polarity": [2, 0], "intensity": [0.5, -1.0], "emotions": [[0, 1], [1, 1]]}
    batch = make_batch(model, encode(model, TEXTS[:2], **labels))
    outputs = run_batch(model, batch)
    losses = model.losses(outputs, batch["targets"])
    probabilities = outputs["polarity"].softmax(dim=1)
    torch.testing.assert_close(losses["polarity"], -probabilities[[0, 1], [2, 0]].log())
    standard = (torch.tensor(labels["intensity"]) - 0.25) / 0.5
    torch.testing.assert_close(losses["intensity"], (outputs["intensity"] - standard).square())
    expected = F.binary_cross_entropy(outputs["emotions"].sigmoid(), torch.tensor([[0.0, 1], [1, 1]]), reduction="none")
    torch.testing.assert_close(losses["emotions"], expected.mean(dim=1))
    predicted = predict(model, encode(model, TEXTS[:2]), "intensity")["intensity"]
    np.testing.assert_allclose(predicted, outputs["intensity"].detach() * 0.5 + 0.25, atol=1e-6)
    assert (abs(predicted) < 1).all()


def test_a_batch_that_asks_nothing_stays_in_the_graph(tiny_llm):
    model = make_model(tiny_llm, make_tasks(intensity="head"))
    batch = make_batch(model, encode(model, TEXTS[:2], intensity=[0.5, -0.5], title=[None, None]))
    outputs = run_batch(model, batch)
    shapes = {name: tuple(output.shape) for name, output in outputs.items()}
    assert shapes == {"polarity": (0, 3), "intensity": (2,), "emotions": (0, 2), "title": (0,)}
    losses = model.losses(outputs, batch["targets"])
    sum(loss.sum() for loss in losses.values()).backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


def test_only_scored_tokens_meet_the_output_layer(tiny_llm):
    model = make_model(tiny_llm, make_tasks())
    seen = []
    model.backbone.lm_head.register_forward_hook(lambda module, inputs, output: seen.append(tuple(output.shape)))
    rows = encode(model, TEXTS[:2], polarity=[0, None], title=[None, "so"])
    run_batch(model, make_batch(model, rows))
    # "bad", "no idea" and "good" share the token after the question.
    places = {(number, place) for number, row in enumerate(rows) for place in row["positions:polarity"]}
    assert seen == [(len(places) + len(rows[1]["positions:title"]), len(model.tokenizer))]


def test_bfloat16_scores_what_float32_does(tiny_llm):
    model = make_model(tiny_llm, make_tasks(intensity="head"))
    batch = make_batch(model, encode(model, TEXTS, polarity=[0, 1, 2, 0], intensity=[0.1] * 4, title=["so"] * 4))
    exact = run_batch(model, batch)
    with torch.autocast("cpu", torch.bfloat16):
        rough = run_batch(model, batch)
    for task in ("polarity", "intensity", "title"):
        torch.testing.assert_close(rough[task].float(), exact[task], atol=0.15, rtol=0.05)
