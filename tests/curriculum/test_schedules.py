"""What may be drawn when."""

import numpy as np
import pytest
import torch

from equipoise.config import CurriculumConfig
from equipoise.curriculum import Curriculum, competence

# Two tasks on rows 0 to 5, the third on rows 6 to 9.
ROWS = {"a": np.arange(6), "b": np.arange(2, 6), "c": np.arange(6, 10)}
DIFFICULTY = {"a": [6.0, 5, 4, 3, 2, 1], "b": [4.0, 3, 2, 1], "c": [10.0, 30, 20, 40]}


def make(schedule, steps=100, **options):
    settings = CurriculumConfig(schedule=schedule, **options)
    return Curriculum(settings, DIFFICULTY, ROWS, ["b", "a", "c"], 10, steps)


def test_competence_by_hand():
    assert competence(0, 0.1, 0.5) == pytest.approx(0.1)
    assert competence(0.125, 0.1, 0.5) == pytest.approx(np.sqrt(0.25 * 0.99 + 0.01))
    assert competence(0.5, 0.1, 0.5) == pytest.approx(1)
    assert competence(0.9, 0.1, 0.5) == 1


def test_the_easiest_share_of_each_task_may_be_drawn():
    one = make("competence", start=0.4, full=1.0)
    stage = one.stage(0)
    assert (stage.number, stage.tasks) == (1, ("b", "a", "c"))
    assert stage.share == pytest.approx(0.4)
    # Means of ranks: row 0 11/12, row 1 9/12, row 2 (7/12 + 7/8) / 2, … row 5 lowest. Of four 2, of six 3 are drawn.
    assert np.flatnonzero(one.drawable(stage)).tolist() == [3, 4, 5, 6, 8]
    assert one.drawable(one.stage(100)).all()


def test_anti_begins_with_the_hardest():
    one = make("anti", start=0.3, full=1.0)
    # Rows 0 and 2 lead task a, 2 and 3 task b: two of six, and two of four.
    assert np.flatnonzero(one.drawable(one.stage(0))).tolist() == [0, 1, 2, 3, 7, 9]


def test_at_least_one_example_of_each_task():
    one = make("competence", start=0.001)
    assert np.flatnonzero(one.drawable(one.stage(0))).tolist() == [5, 6]


def test_the_share_stays_for_some_steps():
    shares = [make("competence", steps=400).stage(step).share for step in range(400)]
    assert len(set(shares[:10])) == 1
    assert shares[10] > shares[9]
    assert shares == sorted(shares)
    assert make("competence", steps=30).stage(1).share > 0.1


def test_mixed_adds_a_task_in_each_stage():
    one = make("mixed", steps=9)
    assert [one.stage(step).number for step in range(9)] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert one.stage(3).tasks == ("b", "a")
    assert np.flatnonzero(one.drawable(one.stage(0))).tolist() == [2, 3, 4, 5]
    assert np.flatnonzero(one.drawable(one.stage(3))).tolist() == [0, 1, 2, 3, 4, 5]
    assert one.drawable(one.stage(8)).all()


def test_sequential_has_one_task_in_each_stage():
    one = make("sequential", steps=9)
    assert [one.stage(step).tasks for step in (0, 3, 6)] == [("b",), ("a",), ("c",)]
    assert np.flatnonzero(one.drawable(one.stage(6))).tolist() == [6, 7, 8, 9]


def batch_of(rows):
    """The batch of some rows, as the collator makes it."""
    places = {task: [place for place, row in enumerate(rows) if row in own] for task, own in ROWS.items()}
    kept = {task: torch.tensor(found, dtype=torch.long) for task, found in places.items()}
    return {"index": torch.tensor(rows), "rows": kept, "targets": {t: k * 1.0 for t, k in kept.items()}, "scored": {}}


def test_labels_of_other_tasks_are_hidden_in_a_stage():
    one = make("sequential", steps=9)
    batch = one.hide(batch_of([3, 4]), 3)
    assert {task: len(rows) for task, rows in batch["rows"].items()} == {"a": 2, "b": 0, "c": 0}
    assert {task: len(targets) for task, targets in batch["targets"].items()} == {"a": 2, "b": 0, "c": 0}
    # The easiest task has 1/6, the next 3/6, the hardest 5/6.
    assert one.observe(batch) == (pytest.approx(2 * 3 / 6), 2)
    assert make("mixed", steps=9).observe(batch_of([3, 6])) == (pytest.approx((1 + 3 + 5) / 6), 3)


def test_difficulty_is_observed_over_labels():
    one = make("competence")
    # Row 3 is third of six in a (rank 5/12) and third of four in b (5/8), row 9 the last of four in c.
    batch = one.hide(batch_of([3, 9]), 0)
    assert one.observe(batch) == (pytest.approx(5 / 12 + 5 / 8 + 7 / 8), 3)
