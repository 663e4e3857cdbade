"""The toy benchmark's problem, front and records."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import toy_pareto

    return toy_pareto


def by_the_paper(x, y):
    """Appendix D of arXiv 2306.03792, without the factor of the first objective."""
    f1 = math.log(max(abs(0.5 * (-x - 7) - math.tanh(-y)), 0.000005)) + 6
    f2 = math.log(max(abs(0.5 * (-x + 3) + math.tanh(-y) + 2), 0.000005)) + 6
    g1 = ((-x + 7) ** 2 + 0.1 * (-y - 8) ** 2) / 10 - 20
    g2 = ((-x - 7) ** 2 + 0.1 * (-y - 8) ** 2) / 10 - 20
    c1, c2 = max(math.tanh(0.5 * y), 0), max(math.tanh(-0.5 * y), 0)
    return c1 * f1 + c2 * g1, c1 * f2 + c2 * g2


def test_objectives_are_those_of_the_paper(toy):
    points = np.random.default_rng(0).uniform(-11, 11, (50, 2))
    expected = np.array([by_the_paper(*point) for point in points])
    np.testing.assert_allclose(toy.objectives(torch.from_numpy(points)), expected, rtol=1e-12)
    np.testing.assert_allclose(toy.objectives(torch.from_numpy(points), 0.1), expected * [0.1, 1], rtol=1e-12)


def test_the_start_at_the_origin_can_move(toy):
    point = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    toy.objectives(point).sum().backward()
    assert point.grad[1] > 1


def test_nothing_in_the_plane_dominates_the_front(toy):
    front = toy.find_front()
    assert front[:, 0].min() < -19.9
    assert front[:, 1].min() < -19.9
    side = torch.linspace(-11, 11, 111, dtype=torch.float64)
    plane = toy.objectives(torch.cartesian_prod(side, side)).numpy()
    better = (plane[:, None] < front[None, ::5] - 1e-6).all(2)
    assert not better.any()


def test_distance_is_measured_from_the_front(toy):
    # The line that the papers draw as the front.
    assert all(toy.distance((x, -8.3552)) < 0.02 for x in (-7, -3, 0, 3, 7))
    assert toy.distance((0.0, -6.0)) > toy.TOLERANCE
    assert toy.distance((-8.5, 7.5)) > 20


def test_a_start_that_has_settled_on_the_front_is_stopped(toy, monkeypatch):
    monkeypatch.setattr(toy, "WINDOW", 50)
    assert toy.run_start("imtl_g", 1.0, (0.0, -8.3552), 1000)["taken"] < 1000
    assert toy.run_start("equal", 1.0, (9.0, 9.0), 200)["taken"] == 200


def test_what_is_recorded_is_not_run_again(toy, tmp_path, capsys):
    output, picture = tmp_path / "toy.jsonl", tmp_path / "toy.png"
    command = ["--methods", "equal", "famo", "--scales", "0.1", "--steps", "20", "--output", str(output)]
    toy.main([*command, "--jobs", "2", "--picture", str(picture)])
    headline = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert headline["reached"] == {"0.1": {"equal": 0, "famo": 0}}
    assert picture.stat().st_size > 10_000
    lines = output.read_text().splitlines()
    assert len(lines) == 10

    output.write_text("\n".join(lines[:9]) + "\n" + lines[9][:50])
    toy.main(command)
    again = output.read_text().splitlines()
    assert again[:9] == lines[:9]
    assert [json.loads(again[10])[key] for key in ("method", "end")] == [
        json.loads(lines[9])[key] for key in ("method", "end")
    ]
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == headline
