import re

import pytest
from typer.testing import CliRunner

from equipoise.cli import app
from equipoise.cli.lists import LISTS, get_catalogue
from equipoise.errors import UsageError
from equipoise.kinds import TaskConfig, get_kind, list_kinds


def _run(*arguments):
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})


def test_without_a_name_it_says_which_lists_there_are():
    result = _run("list")
    assert result.exit_code == 0
    assert [line.split()[2] for line in result.output.splitlines()] == list(LISTS)


@pytest.mark.parametrize("what", LISTS)
def test_every_list_names_and_describes_all(what):
    catalogue = get_catalogue(what)
    shown = _run("list", what).output
    table = catalogue.table()
    assert [row[0] for row in table.rows] == list(catalogue.names())
    assert table.to_markdown().count("\n") == len(table.rows) + 2
    for name in catalogue.names():
        assert name in shown
        assert len(catalogue.describe(name)) > 20
    result = _run("list", what, "nothing-like-it")
    assert isinstance(result.exception, UsageError)
    assert f"there is no {catalogue.noun} 'nothing-like-it'" in str(result.exception)


def test_a_section_of_keys_is_described():
    output = _run("list", "keys", "lora").output
    assert "lora.rank (default: 8)\n    Rank of the update of each matrix.\n" in output
    assert "train.epochs" not in output
    assert "| `train.epochs` | `3.0` | Passes over the training rows" in _run("list", "keys", "--markdown").output


@pytest.mark.parametrize("kind", list_kinds())
def test_a_kind_is_described_with_its_own_keys(kind):
    output = _run("list", "kinds", kind).output
    own = set(get_kind(kind).config_type.model_fields) - set(TaskConfig.model_fields)
    assert own <= set(re.findall(r"^tasks\.NAME\.(\w+)", output, re.MULTILINE))
    assert "tasks.NAME.metric" not in output
    assert "Args:" not in output


def test_a_key_that_a_kind_reads_in_its_own_way_is_described_as_its_own():
    output = _run("list", "kinds", "multilabel").output
    assert "tasks.NAME.label (default: label)\n    Column of the labels; a list names one column a label" in output
    assert "tasks.NAME.from_score.classes (required)" in _run("list", "kinds", "classification").output


@pytest.mark.parametrize(
    ("former", "current"),
    [
        (("keys", "--markdown"), ("list", "keys", "--markdown")),
        (("balancers", "dao"), ("list", "balancers", "dao")),
        (("operators",), ("list", "operators")),
    ],
)
def test_the_former_commands_work_with_one_note(former, current):
    result = _run(*former)
    assert result.exit_code == 0
    assert result.stdout == _run(*current).stdout
    assert result.stderr == f"note: `equipoise {former[0]}` is now `equipoise list {former[0]}`.\n"
    assert former[0] not in [line.split()[1] for line in _run("--help").output.splitlines() if len(line.split()) > 2]
