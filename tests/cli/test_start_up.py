"""A command loads what it needs, and nothing else: heavy packages cost seconds."""

import json
import subprocess
import sys

import pytest

from corpus import write_run

HEAVY = {
    "accelerate",
    "datasets",
    "gguf",
    "matplotlib",
    "optuna",
    "pandas",
    "peft",
    "pyarrow",
    "rouge_score",
    "scipy",
    "sklearn",
    "torch",
    "torchjd",
    "transformers",
    "vaderSentiment",
}
OPTIONAL = {"gguf", "matplotlib", "optuna", "peft", "rouge_score", "sklearn", "torchjd", "vaderSentiment"}
"""What a prediction of a model without an adapter has no use for."""

_COMMAND = """
import contextlib, io, json, sys
sys.argv = ["equipoise", *{arguments!r}]
from equipoise.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main()
"""
_REPORT = "\nimport json, sys; print(json.dumps([name for name in sys.modules if '.' not in name]))"


def loaded(code):
    """The top-level modules that a process has loaded after some code."""
    ended = subprocess.run([sys.executable, "-c", code + _REPORT], capture_output=True, text=True, check=True)
    return set(json.loads(ended.stdout))


def loaded_by(*arguments):
    return loaded(_COMMAND.format(arguments=[*map(str, arguments)]))


def test_the_package_alone_loads_nothing_heavy():
    assert not loaded("import equipoise") & {*HEAVY, "pydantic", "rich", "numpy"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("tarin",),
        ("train",),
        ("train", "nowhere.yaml"),
        ("evaluate", "nowhere", "nowhere.yaml"),
        ("merge", "nowhere"),
        ("list",),
        ("list", "keys"),
        ("list", "starters"),
        ("list", "kinds"),
    ],
    ids=" ".join,
)
def test_help_lists_and_usage_errors_load_nothing_heavy(arguments):
    assert not loaded_by(*arguments) & HEAVY


@pytest.mark.parametrize("what", ["balancers", "operators"])
def test_these_lists_load_torch_alone(what):
    assert loaded_by("list", what) & HEAVY == {"torch"}


def test_predict_loads_nothing_optional(tmp_path, tiny_model):
    from equipoise.training import train

    train(write_run(tmp_path, tiny_model, max_steps=1, evaluations=1))
    found = loaded_by("predict", tmp_path / "run", "good film", "--pair", "film", "-o", tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_text()
    assert not found & OPTIONAL
    assert "transformers" in found


def test_what_answers_texts_is_free_of_torch():
    assert not loaded("import equipoise.predicting; from equipoise.data import TextEncoder, split_windows") & HEAVY
