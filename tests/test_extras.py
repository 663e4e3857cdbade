"""What is missing without an extra is said once, with the command that installs it."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from torch import nn

from equipoise.errors import UsageError
from equipoise.extras import check_extra
from equipoise.modeling import add_adapter
from equipoise.starter import STARTERS, fetch

ROOT = Path(__file__).parent.parent
WITHOUT = """
import sys

hidden = sys.argv[1].split(",")


class Without:
    # A finder that does not find some packages, as if they were not installed.
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.split(".")[0] in hidden else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)


sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
sys.argv[1:2] = []
"""
COMMAND = "from equipoise.cli import main\nsys.exit(main())"


def run_without(packages, code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + code, packages, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=900,
    )


def extras():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


def test_nothing_is_said_where_nothing_is_missing():
    check_extra("search", ("json", "csv"), "search")


def test_the_message_names_what_is_missing_and_the_extra():
    with pytest.raises(UsageError, match=r'search: nosuch1 and nosuch2, .* are .*pip install "equipoise\[search\]"'):
        check_extra("search", ("json", "nosuch1", "nosuch2"), "search")


@pytest.mark.parametrize(
    ("packages", "words", "said"),
    [
        ("optuna,cmaes", ("search", "run.yaml"), 'search: optuna and cmaes, .*pip install "equipoise[search]"'),
        ("peft", ("merge", ".", ".", "-o", "out"), 'merging: peft, .*pip install "equipoise[search]"'),
    ],
)
def test_a_command_without_its_extra_ends_with_one_message(packages, words, said):
    done = run_without(packages, COMMAND, *words)
    before, after = said.split(".*")
    assert done.returncode == 2, done.stderr
    assert before in done.stderr
    assert after in done.stderr
    assert "Traceback" not in done.stderr


def test_the_training_does_without_the_extras():
    code = "import equipoise.comparison, equipoise.curriculum, equipoise.experts, equipoise.exporting\nprint('fine')"
    packages = "peft,optuna,cmaes,gguf,fastapi,uvicorn,captum,onnx,onnxruntime,openpyxl,cvxpy,quadprog,ray,torchao"
    done = run_without(packages, code)
    assert done.stdout == "fine\n", done.stderr


def test_lora_without_its_extra(monkeypatch):
    monkeypatch.setattr("equipoise.extras.find_spec", lambda package: None)
    with pytest.raises(UsageError, match=r'lora: peft, .*pip install "equipoise\[llm\]"'):
        add_adapter(nn.Linear(2, 2), 2)


def test_a_starter_is_not_downloaded_where_it_cannot_be_converted(monkeypatch, tmp_path):
    assert [name for name, starter in STARTERS.items() if starter.needs] == ["smollm2-135m"]
    monkeypatch.setattr("equipoise.extras.find_spec", lambda package: None)
    monkeypatch.setattr("equipoise.starter._fetch.download", None)
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path))
    with pytest.raises(UsageError, match=r'Starter smollm2-135m: gguf, .*pip install "equipoise\[llm\]"'):
        fetch("smollm2-135m")


def test_all_is_every_extra_that_is_for_users():
    (everything,) = extras()["all"]
    named = everything.removeprefix("equipoise[").removesuffix("]").split(",")
    assert sorted(named) == sorted(extras().keys() - {"all", "dev", "dist", "docs", "torchao"})
