"""The table of a solved task's weight: paired differences, going on, the floor that was not taken."""

from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import dao_progress

    return dao_progress


class _Bench:
    """Counts trainings instead of making them."""

    def __init__(self):
        self.trained = []

    def key(self, cell):
        return f"{cell.suite}/{cell.row}/{cell.seed}"

    def run(self, cell):
        self.trained.append(cell)
        dev = {"equal": 0.5, "paper": 0.6}[cell.row] + 0.1 * cell.seed
        weights = {"solved": 4.0, "hard": 0.2}
        return {
            "key": self.key(cell),
            **cell._asdict(),
            "dev": dev,
            "weights": weights,
            "losses": weights,
            "seconds": 1.0,
        }


def test_differences_are_paired_by_seed_and_what_is_recorded_is_not_trained_again(benchmark, tmp_path):
    cells = [benchmark.Cell("five", row, seed) for seed in range(3) for row in ("equal", "paper")]
    output, bench = tmp_path / "cells.jsonl", _Bench()
    first = benchmark.run_all(cells[:4], {"five": bench}, output)
    records = benchmark.run_all(cells, {"five": bench}, output)
    assert records[:4] == first
    assert bench.trained == cells
    by_row = {row: [record for record in records if record["row"] == row] for row in ("equal", "paper")}
    equal, paper = benchmark.gather(by_row)
    assert paper["less equal"] == pytest.approx((0.1, 0.1, 0.1))
    assert equal["less paper"] == pytest.approx((-0.1, -0.1, -0.1))
    assert (paper["favoured"], paper["weights"]) == ("solved", 4.0)


def test_a_floor_relative_to_the_other_tasks_bounds_what_a_solved_task_gains(benchmark):
    """Its norm is a thousandth of its first ones, the others' are as they were: it counts as half of its first."""
    balance = benchmark.RelativeFloor({"solved": "", "b": "", "c": ""}, share=0.5)
    for step in range(20):
        h = torch.ones(2, 2, dtype=torch.float64, requires_grad=True)
        scale = 1.0 if step < 10 else 1e-3
        balance({"solved": scale * h[:, 0], "b": 3 * h[:, 1], "c": h[:, 1]}, features=h)
    assert balance.weights["solved"] / balance.weights["c"] == pytest.approx(2.0)
    assert balance.weights["c"] / balance.weights["b"] == pytest.approx(3.0)
