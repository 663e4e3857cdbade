"""The page and the console table of a mix."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from equipoise.reporting import (
    GainRange,
    MixCost,
    MixPair,
    MixResults,
    MixTarget,
    TrainedPair,
    Verdict,
    mix_table,
    write_mix,
)
from pages import Page

TASKS = ("score", "<b>irony</b>", "$x_1$ emotion")


@pytest.fixture(scope="module")
def results():
    """Three tasks, each with the others; one pair was trained."""
    pairs = [
        MixPair(target, helper, GainRange(1.5 * number, -2.0, 9.0), None, Verdict.ESTIMATED, False)
        for number, (target, helper) in enumerate((one, other) for one in TASKS for other in TASKS if one != other)
    ]
    trained = TrainedPair(GainRange(12.34, 4.0, 19.5), 0.712, 0.694, 33.0)
    pairs[0] = replace(pairs[0], estimate=GainRange(-3.25, -6, 1), trained=trained, verdict=Verdict.HELPS, chosen=True)
    targets = {name: MixTarget("regression", "pearson", 1272, 179) for name in TASKS}
    cost = MixCost(8100, 12000, 100500, 95.0, 300.0, 2512.0)
    notes = ["Task '<i>': a note."]
    return MixResults("finance", "minilm", 3.0, targets, pairs, list(TASKS), [TASKS[1]], cost, notes)


@pytest.fixture(scope="module")
def html(results, tmp_path_factory):
    return write_mix(tmp_path_factory.mktemp("page"), results).read_text(encoding="utf-8")


def test_the_page_has_every_part_and_needs_nothing_else(html):
    page = Page(html)
    headings = [text for text in page.headings if text in ("Estimated gains", "What trainings found", "Cost", "Notes")]
    assert headings == ["Estimated gains", "What trainings found", "Cost", "Notes"]
    assert re.findall(r"\w+:?//|@import|javascript:", html) == []
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "b", "i"}


def test_the_tables_hold_the_numbers(html):
    *targets, cost = Page(html).tables
    assert [len(table) for table in targets] == [3, 3, 3]
    assert targets[0][1] == [TASKS[1], "−3.2 % [−6.0, 1.0]", "12.3 % [4.0, 19.5]", "0.694 → 0.712", "helps"]
    assert targets[0][2] == [TASKS[2], "1.5 % [−2.0, 9.0]", "–", "–", "estimated"]
    assert [row[1:] for row in cost[1:]] == [
        ["8,100", "1 min 35 s"],
        ["12,000", "5 min 0 s"],
        ["100,500", "about 41 min 52 s"],
    ]
    assert "20 %" in Page(html).text


def test_the_heat_map_says_what_it_shows_and_frames_what_was_trained(html):
    (label,) = Page(html).labels
    assert f"{TASKS[1]}: score -3.2 %" in label
    (figure,) = re.findall(r"<svg.*?</svg>", html, re.S)
    assert len(re.findall(r"stroke: currentColor; stroke-width: 2", figure)) == 1
    assert not re.findall(r"#[0-9a-f]{6}", figure)
    for text in ("+7.5", "−3.2", "[−6.0, 1.0]"):
        assert text in figure


def test_the_terminal_has_the_same_numbers(results):
    console = Console(file=io.StringIO(), width=120)
    console.print(mix_table(results))
    text = console.file.getvalue()
    for part in (*TASKS, "12.3 % [4.0, 19.5]", "0.694 → 0.712", "estimated"):
        assert part in text


def test_before_any_training_the_cost_of_all_pairs_is_not_known(results, tmp_path):
    pairs = [replace(pair, trained=None, verdict=Verdict.ESTIMATED, chosen=False) for pair in results.pairs]
    cost = replace(results.cost, trained_rows=0, trained_seconds=0.0, all_seconds=None)
    page = Page(write_mix(tmp_path, replace(results, pairs=pairs, cost=cost, chosen=[])).read_text(encoding="utf-8"))
    assert page.tables[-1][-1][-1] == "–"
    assert "none" in page.text
