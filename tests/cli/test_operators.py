import re
from pathlib import Path

from typer.testing import CliRunner

from equipoise.cli import app
from equipoise.errors import UsageError
from equipoise.merging import MERGE_OPERATORS

PAGE = (Path(__file__).parents[2] / "docs" / "merging.md").read_text(encoding="utf-8")


def _run(*arguments):
    return CliRunner().invoke(app, ["list", "operators", *arguments], env={"COLUMNS": "200"})


def test_the_table_has_every_operator():
    result = _run()
    assert result.exit_code == 0
    for name, operator in MERGE_OPERATORS.items():
        assert name in result.output
        assert re.search(r"arXiv \d{4}\.\d{5}|Shoemake", operator.paper), name
    assert "density: 0.2" in result.output


def test_the_page_on_merging_is_up_to_date():
    """Made by: equipoise list operators --markdown."""
    assert _run("--markdown").output in PAGE


def test_one_operator_is_described():
    assert "elect a sign" in _run("ties").output
    error = _run("tie").exception
    assert isinstance(error, UsageError)
    assert "Did you mean 'ties'?" in str(error)
