"""The page and the console table of a comparison."""

import io
import json
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from equipoise.reporting import comparison_table, write_comparison

VOID = {"meta", "br"}


class Page(HTMLParser):
    """Check that tags close in order and ids are unique; keep tables, figures' labels and text."""

    def __init__(self, html):
        super().__init__()
        self.open, self.ids, self.tags, self.labels, self.headings, self.tables, self.text = [], [], [], [], [], [], ""
        self.feed(html)
        self.close()
        assert self.open == []
        assert len(self.ids) == len(set(self.ids))

    def handle_starttag(self, tag, attributes):
        self.handle_startendtag(tag, attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        self.ids += [attributes["id"]] if "id" in attributes else []
        if tag == "svg":
            self.labels.append(attributes["aria-label"])
        elif tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.text += data
        if self.open and self.open[-1] in ("h2", "h3"):
            self.headings.append(data)
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data


@pytest.fixture(scope="module")
def html(finished):
    return (finished.folder / "compare.html").read_text(encoding="utf-8")


def cell(table, row, column):
    head = [name.removesuffix(" ↓") for name in table[0]]
    return next(line[head.index(column)] for line in table[1:] if line[0].startswith(row))


def test_the_page_has_every_part(html):
    assert Page(html).headings == [
        *("Failed trainings", "Overview", "Cost", "Task by task", "intensity", "polarity"),
        *("By sentiment region and class", "intensity", "polarity", "Task weights", "Set-up"),
    ]


def test_the_tables_hold_the_numbers_of_the_runs(finished, html):
    overview, cost, intensity, against, polarity, _, regions, classes = Page(html).tables
    row = next(row for row in finished.results["rows"] if row["name"] == "dao")
    pearson = row["metrics"]["test"]["intensity"]["pearson"]
    written = cell(intensity, "dao", "Pearson r").replace("−", "-")
    assert written == f"{pearson['value']:.3f} [{pearson['low']:.3f}, {pearson['high']:.3f}]"
    assert cell(polarity, "dao", "macro-F1").startswith(
        f"{row['metrics']['test']['polarity']['macro_f1']['value']:.3f}"
    )
    assert cell(overview, "dao", "Δm %").replace("−", "-").startswith(f"{row['delta_m']['value']:.2f}")
    assert cell(overview, "dao", "mean rank") == f"{row['mean_rank']:.2f}"
    assert cell(cost, "equal", "seconds a step").endswith("1.00 × equal")
    test = next(
        test for test in finished.results["tests"]["single-task"] if (test["row"], test["task"]) == ("dao", "intensity")
    )
    assert cell(against, "dao", "MSE ÷ single-task").startswith(f"{test['ratio']['value']:.3f} [")
    assert f"{test['p_holm']:.3f}".replace("0.000", "< 0.001") in cell(against, "dao", "p, single-task")
    assert [head.removesuffix(" ↓") for head in regions[0]] == ["row", "negative", "neutral", "positive"]
    assert "recall" in cell(classes, "dao", "negative")
    # A row that could not be trained stands there without numbers.
    assert set(overview[-1][1:]) == {"–"}
    assert overview[-1][0] == "wild: dao 0 of 2 seeds"


def test_figures_say_what_they_show(finished, html):
    page = Page(html)
    assert len(page.labels) == 2
    value = finished.results["rows"][0]["metrics"]["test"]["intensity"]["pearson"]["value"]
    assert f"intensity: single-task {value:.3f}, equal" in page.labels[0]
    # Equal weights and rows without models have no course to show.
    assert "dao: intensity" in page.labels[1]
    assert "equal" not in page.labels[1]
    figures = "".join(re.findall(r"<svg.*?</svg>", html, re.S))
    assert re.findall(r"#[0-9a-f]{6}\b", figures) == []
    assert "var(--series-1)" in figures


def test_the_page_is_alone_and_tells_failures_and_choices(finished, html):
    page = Page(html)
    assert re.findall(r"\w+:?//|@import|javascript:", html) == []
    assert not set(page.tags) & {"script", "link", "img", "iframe"}
    assert finished.results["failed"][0]["message"] in page.text
    weights = next(row["weights"] for row in finished.results["rows"] if row["name"] == "static-tuned")
    assert ", ".join(f"{task} {weight:g}" for task, weight in weights.items()) in page.text
    assert "learning_rate: 0.003" in page.text


def test_names_are_escaped_and_one_seed_has_no_intervals(finished, tmp_path):
    results = json.loads(json.dumps(finished.results).replace('"dao"', '"<b>dao</b>"'))
    for row in results["rows"]:
        for tasks in row["metrics"].values():
            for metrics in tasks.values():
                for estimate in metrics.values():
                    estimate["low"] = estimate["high"] = None
    page = Page(write_comparison(tmp_path, results).read_text(encoding="utf-8"))
    assert "b" not in page.tags
    assert "<b>dao</b>" in page.text
    assert "[" not in cell(page.tables[2], "<b>dao</b>", "Pearson r")


def test_the_console_table_has_every_row(finished):
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(comparison_table(finished.results))
    text = console.export_text()
    for row in finished.results["rows"]:
        assert row["name"] in text
    value = finished.results["rows"][0]["metrics"]["test"]["intensity"]["pearson"]["value"]
    assert f"{value:.3f}" in text
