"""Answers averaged over templates."""

import numpy as np
import pytest
import torch

from equipoise.errors import UsageError
from equipoise.kinds import Classification, Generation, Multilabel, Regression
from equipoise.modeling import MultiTaskModel, Predictor, load_backbone

COMMON = ("s", "text", None, "label")
OWN = ("{text} {labels} {task}", "Say it: {text} ({labels})")
TASKS = {
    "polarity": Classification("polarity", *COMMON, "macro_f1", ("bad", "good"), format="prompt"),
    "own": Classification(
        "own", *COMMON, "macro_f1", ("bad", "good"), format="prompt", template=OWN[0], variants=OWN[1:]
    ),
    "score": Regression("score", *COMMON, "pearson", (1.0, 5.0), format="prompt"),
    "emotions": Multilabel("emotions", *COMMON, "macro_f1", ("love", "sad"), thresholds=(0.5, 0.5), format="prompt"),
    "title": Generation("title", *COMMON, "rouge_l", max_new_tokens=4),
    "plain": Classification("plain", *COMMON, "macro_f1", ("bad", "good")),
}
TEXTS = ["good film", "a bad phone and a sad place", "good film"]


@pytest.fixture(scope="module")
def predictor(tiny_llm):
    torch.manual_seed(0)
    return Predictor(MultiTaskModel(*load_backbone(str(tiny_llm), language_model=True), TASKS, 300).eval())


def asked_by(tiny_llm, name, template):
    task = TASKS[name].replace(template=template, variants=())
    return Predictor(MultiTaskModel(*load_backbone(str(tiny_llm), language_model=True), {name: task}, 300).eval())


def numbers(answers, name):
    found = [answer[name] for answer in answers]
    return np.array([[one["score"]] if "score" in one else list(one["probabilities"].values()) for one in found])


def test_each_kind_has_four_templates_and_a_tasks_own_come_first():
    assert {len(TASKS[name].templates) for name in ("polarity", "score", "emotions", "title")} == {4}
    assert TASKS["own"].templates == OWN + TASKS["polarity"].templates
    assert (
        TASKS["polarity"].replace(template=TASKS["polarity"].templates[1]).templates[0]
        == (TASKS["polarity"].templates[1])
    )


def test_answers_are_the_mean_over_templates(predictor, tiny_llm):
    found = predictor.predict(TEXTS, prompts=3)
    once = predictor.predict(TEXTS)
    for name in ("polarity", "own", "score", "emotions"):
        each = [
            numbers(asked_by(tiny_llm, name, template).predict(TEXTS), name) for template in TASKS[name].templates[:3]
        ]
        np.testing.assert_allclose(numbers(found, name), np.mean(each, axis=0), atol=1e-5)
        assert np.abs(numbers(found, name) - numbers(once, name)).max() > 1e-6
    for name in ("title", "plain"):
        assert [answer[name] for answer in found] == [answer[name] for answer in once]


def test_one_prompt_is_the_plain_answer(predictor):
    assert predictor.predict(TEXTS, prompts=1) == predictor.predict(TEXTS)


def test_the_number_of_prompts_is_checked(predictor):
    with pytest.raises(UsageError, match="prompts: found 0, expected 1 or more"):
        predictor.predict(TEXTS, prompts=0)
    with pytest.raises(UsageError, match=r"prompts: found 5, but task 'polarity' has 4 templates; ask for fewer"):
        predictor.predict(TEXTS, prompts=5)
    predictor.predict(TEXTS, tasks="own", prompts=6)
    with pytest.raises(UsageError, match="prompts: found 2, expected 1: none of plain, title prompts"):
        predictor.predict(TEXTS, tasks=["plain", "title"], prompts=2)


def test_templates_travel_with_the_model(predictor, tmp_path):
    import equipoise

    predictor.model.save_pretrained(tmp_path / "model")
    loaded = equipoise.load(tmp_path / "model")
    assert loaded.tasks == predictor.tasks
    np.testing.assert_allclose(
        numbers(loaded.predict(TEXTS, tasks="own", prompts=6), "own"),
        numbers(predictor.predict(TEXTS, tasks="own", prompts=6), "own"),
        atol=1e-6,
    )
