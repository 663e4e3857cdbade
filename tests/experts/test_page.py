"""The page and the console table of experts."""

import copy
import io
import re

import pytest
from rich.console import Console

from equipoise.reporting import experts_table, write_experts
from pages import Page


@pytest.fixture(scope="module")
def html(mixed):
    return (mixed.folder / "experts.html").read_text(encoding="utf-8")


def test_the_page_has_every_part_and_needs_nothing_else(html):
    page = Page(html)
    assert page.headings[1:] == ["Experts and tasks on test", "On dev", "Training"]
    assert re.findall(r"\w+:?//|@import|javascript:", html) == []
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe"}


def test_the_tables_hold_the_numbers(mixed, html):
    test, dev, training = Page(html).tables
    for table, split in ((test, "test"), (dev, "dev")):
        assert [row[0] for row in table[1:]] == ["base", "tone", "kinds", "title", "intensity"]
        for row, cells in zip(mixed.results["rows"], table[1:], strict=True):
            for task, cell in zip(mixed.results["tasks"], cells[1:-1], strict=True):
                line = row["metrics"][split].get(task)
                if line is None:
                    assert cell == "–"
                    continue
                mark = "°" * (row["cells"][task]["how"] == "probe")
                written = [
                    f"{line[key]:.3f}".replace("-", "−").replace("−0.000", "0.000") for key in ("value", "low", "high")
                ]
                assert cell == f"{written[0]}{mark} [{written[1]}, {written[2]}]"
    assert test[-1][-1] == "–"
    assert [row[0] for row in training[1:]] == list(mixed.results["tasks"])
    assert "The experts of intensity answer by a head" in Page(html).text


def test_own_tasks_stand_out(mixed, html):
    page = Page(html)
    strong = [tag for tag, _ in page.tags if tag == "strong"]
    assert len(strong) == 2 * len(mixed.results["tasks"])
    # Framed in ink, which follows the page's theme.
    (figure,) = re.findall(r"<svg.*?</svg>", html, re.S)
    assert len(re.findall(r"stroke: currentColor; stroke-width: 2", figure)) == len(mixed.results["tasks"])


def test_the_heat_map_says_what_it_shows_and_follows_the_theme(mixed, html):
    (label,) = Page(html).labels
    base = mixed.results["rows"][0]["metrics"]["test"]
    assert f"base: tone {base['tone']['value']:.3f}, kinds" in label
    assert "intensity: tone –, kinds –, title –, intensity" in label
    (figure,) = re.findall(r"<svg.*?</svg>", html, re.S)
    assert re.findall(r"#[0-9a-f]{6}\b", figure) == []
    # The base has no colour; a gain is blue (series 1), a loss orange (series 2), neither more than half opaque.
    opacities = [float(number) for number in re.findall(r"opacity: ([\d.]+)", figure)]
    assert max(opacities) == 0.5
    gains = [
        row["metrics"]["test"][task]["value"] - base[task]["value"]
        for row in mixed.results["rows"][1:]
        for task in row["metrics"]["test"]
    ]
    assert ("var(--series-2)" in figure) == (min(gains) < 0)


def test_many_tasks_with_long_names_fit(mixed, tmp_path):
    results = copy.deepcopy(mixed.results)
    names = {f"a_rather_long_name_of_a_task_{number}" for number in range(16)}
    first = next(iter(results["tasks"]))
    results["tasks"] = dict.fromkeys(names, results["tasks"][first])
    for row in results["rows"]:
        row["cells"] = dict.fromkeys(names, row["cells"][first])
        row["metrics"] = {
            split: {name: lines[first] for name in names if first in lines} for split, lines in row["metrics"].items()
        }
    page = write_experts(tmp_path, results).read_text(encoding="utf-8")
    assert "rotate(-35" in page
    assert len(Page(page).tables[0][0]) == 18


def test_names_are_escaped(mixed, tmp_path):
    results = copy.deepcopy(mixed.results)
    results["tasks"]["tone"]["group"] = "<b>tone</b>"
    results["notes"].append("<b>note</b>")
    page = Page(write_experts(tmp_path, results).read_text(encoding="utf-8"))
    assert "b" not in {tag for tag, _ in page.tags}
    assert "<b>tone</b>" in page.text
    assert "<b>note</b>" in page.text


def test_the_console_table_has_the_base_on_top(mixed):
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(experts_table(mixed.results))
    text = console.export_text()
    names = [line.split()[0] for line in text.splitlines() if re.match(r" (base|tone|kinds|title|intensity) ", line)]
    assert names[-5:] == ["base", "tone", "kinds", "title", "intensity"]
    probe = mixed.results["rows"][0]["metrics"]["test"]["intensity"]["value"]
    assert f"{probe:.3f}°".replace("-", "−") in text
    assert "° linear probe" in text
