"""The page and the console table of a comparison."""

import copy
import io
import json
import re

import pytest
from rich.console import Console

from equipoise.reporting import comparison_table, write_comparison
from pages import Page


@pytest.fixture(scope="module")
def html(finished):
    return (finished.folder / "compare.html").read_text(encoding="utf-8")


def cell(table, row, column):
    head = [name.removesuffix(" ↓") for name in table[0]]
    return next(line[head.index(column)] for line in table[1:] if line[0].startswith(row))


def test_the_page_has_every_part(html):
    assert Page(html).headings[1:] == [
        *("Failed trainings", "Overview", "Cost", "Task by task", "intensity", "polarity"),
        *("By sentiment region and class", "intensity", "polarity", "Training losses", "Task weights", "Set-up"),
    ]


def test_the_tables_hold_the_numbers_of_the_runs(finished, html):
    overview, cost, intensity, against, polarity, _, regions, classes = Page(html).tables
    table = finished.table
    row = next(row for row in table.rows if row.name == "dao")
    pearson = row.metrics["test"]["intensity"]["pearson"]
    written = cell(intensity, "dao", "Pearson r").replace("−", "-")
    assert written == f"{pearson.value:.3f} [{pearson.low:.3f}, {pearson.high:.3f}]"
    macro_f1 = row.metrics["test"]["polarity"]["macro_f1"]
    assert cell(polarity, "dao", "macro-F1").startswith(f"{macro_f1.value:.3f}")
    assert cell(overview, "dao", "Δm %").replace("−", "-").startswith(f"{row.delta_m.value:.2f}")
    assert cell(overview, "dao", "mean rank") == f"{row.mean_rank:.2f}"
    assert cell(cost, "equal", "seconds a step").endswith("1.00 × equal")
    test = next(test for test in table.tests["single-task"] if (test.row, test.task) == ("dao", "intensity"))
    assert cell(against, "dao", "MSE ÷ single-task").startswith(f"{test.ratio.value:.3f} [")
    assert f"{test.p_holm:.3f}".replace("0.000", "< 0.001") in cell(against, "dao", "p, single-task")
    assert [head.removesuffix(" ↓") for head in regions[0]] == ["row", "negative", "neutral", "positive"]
    assert "recall" in cell(classes, "dao", "negative")
    # A row that could not be trained stands there without numbers.
    assert set(overview[-1][1:]) == {"–"}
    assert overview[-1][0] == "wild: dao 0 of 2 seeds"


def test_figures_say_what_they_show(finished, html):
    page = Page(html)
    assert len(page.labels) == 3
    value = finished.table.rows[0].metrics["test"]["intensity"]["pearson"].value
    assert f"intensity: single-task {value:.3f}, equal" in page.labels[0]
    assert re.search(r"intensity: single-task [\d.]+, equal [\d.]+, static-tuned [\d.]+, dao [\d.]+;", page.labels[1])
    # Equal weights and rows without models have no course of weights to show.
    assert "dao: intensity" in page.labels[2]
    assert "equal" not in page.labels[2]
    figures = "".join(re.findall(r"<svg.*?</svg>", html, re.S))
    assert re.findall(r"#[0-9a-f]{6}\b", figures) == []
    assert "var(--series-1)" in figures


def test_the_page_is_alone_and_tells_failures_and_choices(finished, html):
    page = Page(html)
    assert re.findall(r"\w+:?//|@import|javascript:", html) == []
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe"}
    assert finished.table.failed[0].message in page.text
    weights = next(row.weights for row in finished.table.rows if row.name == "static-tuned")
    assert ", ".join(f"{task} {weight:g}" for task, weight in weights.items()) in page.text
    assert "learning_rate: 0.003" in html


def test_names_are_escaped_and_one_seed_has_no_intervals(finished, tmp_path):
    results = json.loads(json.dumps(finished.results).replace('"dao"', '"<b>dao</b>"'))
    for row in results["rows"]:
        for tasks in row["metrics"].values():
            for metrics in tasks.values():
                for estimate in metrics.values():
                    estimate["low"] = estimate["high"] = None
    page = Page(write_comparison(tmp_path, results).read_text(encoding="utf-8"))
    assert "b" not in {tag for tag, _ in page.tags}
    assert "<b>dao</b>" in page.text
    assert "[" not in cell(page.tables[2], "<b>dao</b>", "Pearson r")


def test_the_console_table_has_every_row(finished):
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(comparison_table(finished.table))
    text = console.export_text()
    for row in finished.table.rows:
        assert row.name in text
    value = finished.table.rows[0].metrics["test"]["intensity"]["pearson"].value
    assert f"{value:.3f}" in text


def test_texts_are_compared_by_rouge_and_have_no_parts(finished, tmp_path):
    results = copy.deepcopy(finished.results)
    results["tasks"]["polarity"] |= {
        "kind": "generation",
        "metric": "rouge_l",
        "metrics": ["rouge_l"],
        "item_metric": "rouge_l",
        "parts": [],
    }
    for row in results["rows"]:
        row["parts"].pop("polarity", None)
        for metrics in row["metrics"].values():
            if metrics:  # a row that could not be trained has none
                metrics["polarity"] = {"rouge_l": metrics["polarity"]["macro_f1"]}
    page = Page(write_comparison(tmp_path, results).read_text(encoding="utf-8"))
    assert page.headings.count("polarity") == 1
    assert page.headings.count("intensity") == 2
    polarity, against = page.tables[4:6]
    assert polarity[0] == ["row", "ROUGE-L"]
    assert "ROUGE-L − single-task, points" in against[0]
    results["tasks"]["intensity"]["parts"] = []
    for row in results["rows"]:
        row["parts"] = {}
    assert "By sentiment region and class" not in write_comparison(tmp_path, results).read_text(encoding="utf-8")
