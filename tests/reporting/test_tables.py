import io
from itertools import pairwise

import pytest
from rich.console import Console

from equipoise.kinds import Regression
from equipoise.reporting import results_table
from equipoise.reporting.line_names import _spread
from equipoise.reporting.tables import arrange, subset_columns


def record(model, metric, value, *, subset="all", split="test", low=None, high=None):
    return {
        "split": split,
        "subset": subset,
        "model": model,
        "task": "intensity",
        "metric": metric,
        "value": value,
        "low": low,
        "high": high,
        "n": 2400,
    }


@pytest.fixture
def tasks():
    return {"intensity": Regression("intensity", "posts", "text", None, "score", "pearson")}


def values(records, tasks):
    return [
        [cell and (cell.value, cell.best) for cell in row.cells] for row in arrange(records, tasks, split="test").rows
    ]


def test_the_run_comes_first_and_metrics_in_the_tasks_order(tasks):
    records = [record("majority", "mse", 1.0), record("run", "mse", 0.5), record("run", "pearson", 0.7)]
    table = arrange(records, tasks, split="test")
    assert table.models == ["this run", "majority"]
    assert [(row.metric, row.primary, row.n) for row in table.rows] == [("Pearson r", True, 2400), ("MSE", False, 2400)]
    assert table.rows[0].cells[1] is None


def test_best_is_the_highest_or_for_errors_the_lowest(tasks):
    records = [record("run", "pearson", 0.7), record("vader", "pearson", 0.6)]
    records += [record("run", "mse", 2.0), record("vader", "mse", 1.0)]
    assert values(records, tasks) == [[("0.700", True), ("0.600", False)], [("2.000", False), ("1.000", True)]]


def test_equal_values_are_all_best_and_a_model_alone_is_not(tasks):
    assert values([record("run", "mse", 1.0), record("vader", "mse", 1.0)], tasks) == [[("1.000", True)] * 2]
    assert values([record("run", "mse", 1.0)], tasks) == [[("1.000", False)]]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0, "0.000"),
        (-0.25, "−0.250"),
        (0.0123, "0.0123"),
        (0.00004567, "0.0000457"),
        (12.3456, "12.35"),
        (123.456, "123.5"),
        (12345.6, "12,346"),
    ],
)
def test_values_are_written_with_about_three_digits(tasks, value, written):
    assert values([record("run", "mse", value)], tasks) == [[(written, False)]]


def test_a_subset_table_has_the_primary_metric_of_its_column_only(tasks):
    records = [
        record("run", metric, 0.5, subset=subset)
        for subset in ("all", "domain=a=b", "domain=c", "year=1")
        for metric in ("pearson", "mse")
    ]
    assert subset_columns(records, "test") == ["domain", "year"]
    assert subset_columns(records, "dev") == []
    rows = arrange(records, tasks, split="test", column="domain").rows
    assert [(row.subset, row.metric) for row in rows] == [("a=b", "Pearson r"), ("c", "Pearson r")]


def write(table, width=100):
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


def test_the_terminal_table(tasks):
    records = [record("run", "pearson", 0.71, low=0.69, high=0.73), record("majority", "pearson", 0.0)]
    records += [record("run", "mse", 0.5, split="dev")]
    text = write(results_table(records, tasks))
    task, line = next((a, b) for a, b in pairwise(text.splitlines()) if "intensity" in a)
    assert task.split() == ["intensity", "2,400"]
    assert line.split() == ["Pearson", "r", "0.710", "[0.690,0.730]", "0.000"]
    assert "MSE" not in text
    assert "MSE ↓" in write(results_table(records, tasks, split="dev"))


def test_the_terminal_table_loses_no_digit_on_80_columns():
    name = "disagreement"
    tasks = {name: Regression(name, "posts", "text", None, "score", "pearson")}
    records = [
        {**record(model, "spearman", 0.123, low=0.111, high=0.135), "task": name}
        for model in ("run", "majority", "vader")
    ]
    assert write(results_table(records, tasks), width=80).count("[0.111,0.135]") == 3


def test_spread_moves_names_apart_and_keeps_them_inside():
    assert _spread([0.2, 0.8], 0.1) == pytest.approx([0.2, 0.8])
    assert _spread([0.5, 0.5, 0.52], 0.1) == pytest.approx([0.5067 - 0.1, 0.5067, 0.5067 + 0.1], abs=1e-4)
    assert _spread([0.9, 0.95, 1.0], 0.2) == pytest.approx([0.6, 0.8, 1.0])
    assert _spread([-0.1], 0.1) == [0.0]
