import json

import pytest

from equipoise.comparison.trajectories import mean_courses
from equipoise.reporting import Course


def test_weights_are_averaged_over_seeds_where_the_task_was_in_the_batch(tmp_path):
    courses = {
        "one": [({"a": 1.5, "b": 0.5}, "ab"), ({"a": 1.0, "b": 0.0}, "a")],
        "two": [({"a": 2.0, "b": 0.0}, "ab")],
    }
    for seed, course in courses.items():
        (tmp_path / seed).mkdir()
        lines = [
            {"step": step, "weights": weights, "losses": dict.fromkeys(present, 0.7)}
            for step, (weights, present) in enumerate(course, 1)
        ]
        lines.append({"step": len(course), "dev": {"run_score": 0.5}})
        (tmp_path / seed / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    of_tasks = mean_courses([tmp_path / "one", tmp_path / "two", tmp_path / "none"], ["a", "b", "c"])
    # A rule may give a task that is there the weight 0, which counts.
    assert {task: course.weights for task, course in of_tasks.items()} == {
        "a": pytest.approx([1.75, 1.0]),
        "b": pytest.approx([0.25]),
    }
    assert {task: course.losses for task, course in of_tasks.items()} == {"a": [0.7, 0.7], "b": [0.7]}
    assert of_tasks["b"].steps == [1.0]


def test_a_loss_that_was_not_finite_is_left_out(tmp_path):
    lines = [{"step": step, "weights": {"a": 1.0}, "losses": {"a": loss}} for step, loss in ((1, None), (2, 0.5))]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert mean_courses([tmp_path], ["a"]) == {"a": Course([2.0], [1.0], [0.5])}
