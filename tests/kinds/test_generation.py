import json
import math

import pytest

from equipoise.kinds import Generation, LabelError, task_from_dict


def generation(**options):
    return Generation("title", "source", "text", None, "title", "rouge_l", **options)


def test_a_target_is_a_text_without_the_blanks_around_it():
    assert generation().parse("  A fine phone \n") == "A fine phone"
    assert generation().parse(1984) == "1984"
    assert generation().fit(["a", "a"]).encode("a") == "a"


@pytest.mark.parametrize("cell", [None, "", " \n", True, math.nan])
def test_an_empty_target_is_refused(cell):
    with pytest.raises(LabelError, match="expected a text to learn to write"):
        generation().parse(cell)


def test_the_first_target_of_several_is_kept():
    assert generation().merge(["b", "a", "a"]) == "b"


def test_the_summary_tells_the_limits():
    assert generation().summary == "generation, at most 32 tokens"
    assert generation(max_new_tokens=8, beams=4).summary == "generation, at most 8 tokens, 4 beams"


def test_the_answer_is_a_text():
    assert generation().answer("fine") == {"text": "fine"}


def test_a_task_survives_json():
    task = generation(max_new_tokens=8, beams=4)
    assert task_from_dict(json.loads(json.dumps(task.to_dict()))) == task
