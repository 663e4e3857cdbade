"""The examples of the plug-in run as they stand, and do what they show."""

import ast
from pathlib import Path

import pytest

from processes import run_script

FOLDER = Path(__file__).parents[2] / "examples" / "plugin"
EXAMPLES = sorted(FOLDER.glob("*.py"))


def code_lines(example):
    """How many lines are neither empty nor a comment nor the docstring."""
    lines = example.read_text().splitlines()[1:]
    return len([line for line in lines if line.strip() and not line.strip().startswith("#")])


def figures(output):
    """What an example printed, by name, in order."""
    found = {}
    for line in output.splitlines():
        if line.startswith("{"):
            for name, value in ast.literal_eval(line).items():
                found.setdefault(name, []).append(float(value))
    return found


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_losses_fall_and_weights_are_logged(example):
    assert code_lines(example) <= 40
    # In a process of its own: accelerate keeps its settings in globals.
    ended = run_script(example)
    assert ended.exit_code == 0, ended.output
    found = figures(ended.output)
    for task in ("score", "polarity"):
        losses = found[f"loss/{task}"]
        assert sum(losses[-2:]) < 0.7 * sum(losses[:2])
    assert len(found["weight/score"]) == len(found["weight/polarity"]) > 2
    for score, polarity in zip(found["weight/score"], found["weight/polarity"], strict=True):
        assert score + polarity == pytest.approx(2, rel=1e-3)
        assert score < 0.2


def test_every_example_is_described():
    described = (FOLDER / "README.md").read_text()
    assert EXAMPLES
    assert all(example.name in described for example in EXAMPLES)
