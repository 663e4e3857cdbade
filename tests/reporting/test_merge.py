"""The page and the console table of a merge."""

import io
import re

import numpy as np
import pytest
from rich.console import Console

from equipoise.reporting import merge_table, write_merge
from equipoise.reporting.merge_figures import non_dominated
from equipoise.reporting.merge_tables import coefficients
from pages import Page

HEADINGS = ["Rows and tasks on test", "Searches", "Fitness", "What was chosen", "Coefficients"]
LAST = ["Experts and tasks on dev", "Weak data", "Time and notes"]


@pytest.fixture
def write(tmp_path, merge_results):
    """Write the page of made-up results; return results and page."""

    def made(**settings):
        results = merge_results(**settings)
        html = write_merge(tmp_path, results).read_text(encoding="utf-8")
        return results, Page(html), html

    return made


def test_the_page_has_every_part_and_needs_nothing_else(write):
    _, page, html = write()
    assert page.headings == ["small", *HEADINGS, *LAST]
    assert re.findall(r"\w+:?//|@import|javascript:", html) == []
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe"}
    figures = "".join(re.findall(r"<svg.*?</svg>", html, re.S))
    assert re.findall(r"#[0-9a-f]{6}\b", figures) == []


def test_the_table_has_intervals_scores_and_marks(write):
    _, page, html = write()
    test, dev = page.tables[:2]
    assert test[0] == ["row", "run score", "kept", "tonemacro-F1", "scorePearson r", "ironymacro-F1"]
    rows = {line[0]: line[1:] for line in test[1:]}
    assert list(rows)[:4] == ["base", "experts", "joint", "uniform the average of the experts"]
    assert rows["evolved:one"] == [
        *("0.587", "93.3 %", "0.540 [0.490, 0.580]", "0.720 [0.670, 0.760]", "0.500 [0.450, 0.540]"),
    ]  # fmt: skip
    # The row base errs more on tone, joint less; p of ties is not below 0.05. A metric below 0 counts as 0.
    assert rows["base"] == [
        *("0.233", "100.0 %", "0.300▼ [0.250, 0.340]", "−0.100 [−0.150, −0.060]", "0.400 [0.350, 0.440]"),
    ]
    assert rows["joint"][2].startswith("0.580▲ ")
    assert rows["ties"][2].startswith("0.400 ")
    assert {row[0]: row[2] for row in dev[1:]}["joint"] == "0.590 [0.540, 0.630]"
    assert len(dev[0]) == len(test[0]) - 1
    assert "▲ errs less than the shaded row, ▼ errs more" in page.text
    bold = re.findall(r"<strong>([^<]*)</strong>", html.partition("<details>")[0])
    assert sorted(bold) == ["0.520", "0.600", "0.633", "0.800"]
    assert len(re.findall(r'<tr class="best">', html)) == 2


def test_without_a_difference_there_is_no_mark(tmp_path, merge_results):
    results = merge_results()
    for test in results["tests"]:
        test["p_holm"] = 0.3
    text = Page(write_merge(tmp_path, results).read_text(encoding="utf-8")).text
    assert "▲" not in text
    assert "No row’s errors differ from the shaded row’s" in text


def test_key_figures(write):
    html = write()[2]
    found = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", html))
    assert found == {
        "run score on test, evolved:one": "0.587",
        "best other merge, ties": "0.450",
        "joint training": "0.600",
        "experts on their own tasks": "0.633",
        "of the experts’ scores kept": "93.3 %",
        "tasks on which it beats the base": "3 of 3",
    }


def test_rows_that_are_not_there_leave_their_figures_out(tmp_path, merge_results):
    results = merge_results()
    results["rows"] = [row for row in results["rows"] if row["name"] in {"experts", "evolved:one"}]
    results["searches"].pop("one/all")
    results["searches"].pop("two/groups")
    page = Page(write_merge(tmp_path, results).read_text(encoding="utf-8"))
    assert "best other merge," not in page.text
    assert "beats the base" not in page.text
    # A search inside a group has no run score that rows over all tasks could stand beside.
    assert [label[:12] for label in page.labels] == ["Fitness on w", "Coefficients", "Heat map of "]


def test_what_was_chosen(write):
    _, page, _ = write()
    chosen, weak, time = page.tables[2:]
    assert chosen[1] == [
        *("one/all", "5", "1", "4", "0.480", "0.600", "4, 0.500 to 0.600", "0.80"),
    ]
    assert "one/all: tone 0.40, score 0.47, irony 0.54, option density 0.20" in page.text
    assert chosen[2][7] == "–"
    assert chosen[3][3] == "0 (uniform)"
    assert weak[1] == ["tone", "classification", "first", "64", "32", "1,090", "25.0 %", "10.0 %"]
    assert weak[3][2] == "–"
    assert time[1:3] == [["choosing weak rows", "16 s"], ["search one/all, finalists on dev included", "1 min 1 s"]]
    assert "1 min 23 s in all" in page.text
    assert "Row 'peft_linear' is left out" in page.text


def test_figures_say_what_they_show(write):
    _, page, html = write()
    fitness, finalists, *courses, heat = page.labels
    assert "one/all: 5 candidates, 1 pruned, uniform 0.400, MetaGPT 0.450, best 0.500; two/first: 4" in fitness
    assert "one/all: finalists from 0.500 to 0.600, the chosen one 0.600; two/groups: finalists" in finalists
    assert "two/first" not in finalists
    assert finalists.endswith("Compared with: uniform 0.443, ties 0.460, joint 0.610.")
    assert [re.search("search (.*?) over", label)[1] for label in courses] == ["one/all", "two/first", "two/groups"]
    assert "tone 0.400; score 0.470; irony 0.540; option density 0.200" in courses[0]
    assert "base: tone 0.310, score 0.000, irony 0.410; tone: tone 0.700, score 0.200" in heat
    assert "evolved:two: tone 0.510" in heat
    assert "uniform" not in heat
    # Candidates that were pruned are hollow: one in each of three searches.
    assert len(re.findall(r"fill: var\(--page\); stroke: var\(--series-1\)", html)) == 3


def test_blocks_are_lines_of_their_own(write):
    results, page, _ = write(blocks=2)
    found = coefficients(results["searches"]["one/all"])
    assert list(found) == ["tone", "score", "irony", "option density"]
    assert found["score"] == {"block 1": [0.5, 0.17, 0.27, 0.37, 0.47], "block 2": [0.5, 0.38, 0.48, 0.58, 0.68]}
    assert "score block 1 0.470, block 2 0.680" in page.labels[2]
    assert "solid block 1, dashed block 2" in " ".join(page.text.split())
    assert "score 0.47 / 0.68, irony" in page.text


def test_a_pareto_front_stands_there_where_tasks_are_objectives(write):
    assert not any("Pareto" in label for label in write()[1].labels)
    _, page, _ = write(objectives="tasks")
    assert page.headings == ["small", *HEADINGS, "Pareto front", *LAST]
    fronts = [label for label in page.labels if "Pareto" in label]
    assert len(fronts) == 3
    # Over tone and score: (0.3, 0.3), (0.45, 0.25), (0.11, 0.11), (0.7, 0.1); the third is worse than the first.
    assert "two/first: 3 of 4 candidates are not dominated; the chosen one has tone 0.700, score 0.100" in fronts[1]
    assert "one/all: 4 of 5 candidates" in fronts[0]


def test_the_pareto_front_of_two_tasks_is_a_scatter(write):
    _, _, html = write(objectives="tasks")
    three, two = re.findall(r"<svg(?:(?!</svg>).)*Pareto.*?</svg>", html, re.S)[:2]
    # The ends of an axis of its own for each task.
    assert ">0.880</text>" in three
    assert ">0.080</text>" in three
    assert ">0.110</text>" not in two
    assert ">tone</text>" in two


def test_non_dominated():
    scores = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.4, 0.5], [0.5, 0.5]])
    assert non_dominated(scores).tolist() == [True, True, True, False, True]


def test_names_are_escaped(tmp_path, merge_results):
    results = merge_results(tasks=("<b>tone</b>", "score", "irony"))
    results["notes"].append("<b>note</b>")
    results["rows"][3]["about"] = "<b>about</b>"
    page = Page(write_merge(tmp_path, results).read_text(encoding="utf-8"))
    assert "b" not in {tag for tag, _ in page.tags}
    for text in ("<b>tone</b>", "<b>note</b>", "<b>about</b>"):
        assert text in page.text


def test_the_console_table_has_one_line_a_row(merge_results):
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(merge_table(merge_results()))
    text = console.export_text()
    line = next(line for line in text.splitlines() if line.startswith(" base "))
    assert line.split() == [*("base", "0.300▼", "±0.045", "−0.100", "±0.045", "0.400", "±0.045", "0.233", "100.0")]
    assert "▲ ▼ better, worse than evolved:one" in " ".join(text.split())
    cell = list(merge_table(merge_results()).columns[1].cells)[1]
    assert str(cell) == "0.600 ±0.045"
    assert [(span.start, span.end, span.style) for span in cell.spans] == [(5, 12, "not bold dim")]
    assert cell.style == "bold"


def test_layers_that_are_fitted_anew_are_told(tmp_path, merge_results):
    for refit in (True, False):
        page = Page(write_merge(tmp_path, {**merge_results(), "refit": refit}).read_text(encoding="utf-8"))
        assert ("refitted to each merged model’s features" in page.text) is refit
