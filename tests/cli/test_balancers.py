import re
from inspect import signature
from pathlib import Path

import pytest
from typer.testing import CliRunner

from equipoise.balancing import BALANCERS
from equipoise.cli import app
from equipoise.cli.lists import get_catalogue
from equipoise.errors import UsageError

PAGE = (Path(__file__).parents[2] / "docs" / "balancing.md").read_text(encoding="utf-8")


def _run(*arguments):
    return CliRunner().invoke(app, ["list", "balancers", *arguments], env={"COLUMNS": "200"})


def test_the_table_has_every_balancer():
    result = _run()
    assert result.exit_code == 0
    for name, balancer in BALANCERS.items():
        assert name in result.output
        assert re.search(r"arXiv \d{4}\.\d{5}|ICLR|numbers of your own", balancer.paper), name


def test_a_row_is_read_from_the_class():
    rows = {name: cells for name, *cells in get_catalogue("balancers").table().rows}
    assert rows["famo"] == [
        "Let all losses fall at one rate, judged by them after each update.",
        "one more forward",
        ("lr: 0.025", "weight_decay: 0.001", "min_losses"),
        "Liu et al., 2023, arXiv 2306.03792",
    ]
    assert {name: rows[name][1] for name in ("dwa", "dao", "modo", "upgrad")} == {
        "dwa": "losses only",
        "dao": "gradients at the features",
        "modo": "both halves of the batch",
        "upgrad": "gradients at the features; extra",
    }
    assert rows["dao"][2][0] == "task_weights: true"
    assert rows["static"][2] == ("weights",)
    assert all(summary.endswith(".") and "arXiv" not in summary for summary, *_ in rows.values())


def test_the_page_on_balancing_is_up_to_date():
    """Made by: equipoise list balancers --markdown."""
    assert _run("--markdown").output in PAGE


def test_the_page_says_which_balancers_have_the_common_options():
    without_clip = {name for name, balancer in BALANCERS.items() if "clip" not in signature(balancer).parameters}
    assert without_clip == {"equal", "static"}
    for name, balancer in BALANCERS.items():
        assert ("where" in signature(balancer).parameters) == (balancer.needs != "losses"), name
    compared = [name for name, balancer in BALANCERS.items() if balancer.needs in ("gradients", "halves")]
    page = " ".join(PAGE.split())
    assert f"`features` (not {', '.join(f'`{name}`' for name in compared)})" in page


def test_one_balancer_is_described():
    result = _run("mgda")
    assert result.exit_code == 0
    assert result.output.startswith("Follow the shortest convex combination")
    assert "epsilon: the algorithm ends" in result.output


def test_an_unknown_balancer_is_answered_with_the_closest():
    result = _run("mgad")
    assert isinstance(result.exception, UsageError)
    assert "Did you mean 'mgda'" in str(result.exception)


@pytest.mark.parametrize("name", BALANCERS)
def test_every_option_is_described(name):
    text = _run(name).output
    for option in signature(BALANCERS[name]).parameters:
        assert re.search(rf"^ +{option}: ", text, re.MULTILINE), option
