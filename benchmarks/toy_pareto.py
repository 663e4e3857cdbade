"""How often each balancer reaches the Pareto front of the two-objective toy problem of CAGrad, Nash-MTL and FAMO.

Two parameters, two objectives, five starting points, 50,000 steps of Adam at 1e-3; once as it is, once with the first
objective a tenth as large. The definition is that of appendix D of FAMO (Liu et al., 2023, arXiv 2306.03792), the
starting points those of its section 5.1; it goes back to CAGrad (Liu et al., 2021, arXiv 2110.14048).

    python benchmarks/toy_pareto.py [--quick] [--jobs 2] [--output FILE.jsonl] [--picture FILE.png]

A start reaches the front if it ends at most 0.1 away from it in the plane of the unscaled objectives, where the front
spans 20 by 20. (The papers judge by eye, from a picture of that plane.) The front is found here, numerically. A start
that has settled there is stopped: it is on the front, and its mean position over 1,000 steps has moved by less than
0.02. Any other takes all its steps, since Adam can wake up late. With `--output` every start is a record of its own,
and what is recorded is not run again.
"""

import argparse
import json
import math
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from equipoise.balancing import BALANCERS, make_balancer
from measuring import begin_worker

STARTS = ((-8.5, 7.5), (-8.5, 5.0), (0.0, 0.0), (9.0, 9.0), (10.0, -8.0))
SCALES = (1.0, 0.1)
"""What the first objective is multiplied by; 0.1 is the published setting."""
STEPS, RATE = 50_000, 1e-3
BOUND = -21.0
"""A lower bound of both objectives, as in FAMO's own run."""
TOLERANCE = 0.1
WINDOW, DRIFT = 1_000, 0.02
TASKS = ("first", "second")
METHODS = (
    "equal",
    "uncertainty",
    "dwa",
    "random",
    "mgda",
    "pcgrad",
    "cagrad",
    "imtl_g",
    "nash_mtl",
    "famo",
    "gradnorm",
    "db_mtl",
    "dao",
)
OPTIONS: dict[str, dict[str, Any]] = {
    # The objectives stay the same throughout, so FAMO's weights are not to be pulled back (its authors' run).
    "famo": {"weight_decay": 0.0},
    # Between two gradients the first iteration is exact; where one of them is the answer, it would go on to the last.
    "mgda": {"max_iters": 2},
    # Solving takes 30 to 160 ms, and a step is only a thousandth long.
    "nash_mtl": {"update_weights_every": 10},
}
CLIPPED = ("pcgrad", "cagrad", "nash_mtl", "famo")
"""Whose gradient is clipped to norm 1 in the published code."""
REPORTED = {
    ("equal", 0.1): 4,  # arXiv 2306.03792, figure 1
    ("mgda", 0.1): 5,  # here and below: ibidem, section 5.1: FAMO and all gradient manipulation methods, all five runs
    ("pcgrad", 0.1): 5,
    ("cagrad", 0.1): 5,
    ("nash_mtl", 0.1): 5,
    ("famo", 0.1): 5,
}
"""How many of the five starts reach the front in the papers."""
QUICK_METHODS, QUICK_STARTS, QUICK_STEPS = ("equal", "dao"), STARTS[3:4], 18_000


def objectives(points: Tensor, scale: float = 1.0) -> Tensor:
    """Compute both objectives, shape (..., 2), at points of shape (..., 2).

    Above the axis they fall into two bent valleys, below it into two bowls, whose bottoms the front joins. `clamp`
    lets the gradient through where it is just met, without which the start at the origin would never move.
    """
    x, y = points[..., :1], points[..., 1:]
    sign = points.new_tensor([1.0, -1.0])
    valleys = (0.5 * (-x - points.new_tensor([7.0, -7.0])) - sign * (-y).tanh()).abs().clamp(min=5e-6).log() + 6
    bowls = ((-x + 7 * sign).square() + 0.1 * (-y - 8).square()) / 10 - 20
    both = (0.5 * y).tanh().clamp(min=0) * valleys + (-0.5 * y).tanh().clamp(min=0) * bowls
    return both * points.new_tensor([scale, 1.0])


@cache
def find_front(count: int = 101) -> np.ndarray:
    """Return points of the Pareto front, shape (n, 2): the minima of all weighted sums of the objectives."""

    def fall(point: np.ndarray, weights: Tensor) -> tuple[float, np.ndarray]:
        place = torch.tensor(point, requires_grad=True)
        total = (weights * objectives(place)).sum()
        total.backward()
        return total.item(), place.grad.numpy()

    front = []
    for share in np.linspace(0, 1, count):
        weights = torch.tensor([share, 1 - share], dtype=torch.float64)
        lowest = minimize(fall, np.array([14 * share - 7, -8.0]), args=(weights,), jac=True, tol=1e-10).x
        front.append(objectives(torch.from_numpy(lowest)).numpy())
    return np.array(front)


def distance(point: Iterable[float]) -> float:
    """Return how far a point's objectives, unscaled, are from the front, taken as a chain of segments."""
    front = find_front()
    values = objectives(torch.as_tensor(point, dtype=torch.float64)).numpy()
    ahead = np.diff(front, axis=0)
    along = np.clip(((values - front[:-1]) * ahead).sum(1) / np.square(ahead).sum(1), 0, 1)
    return float(np.linalg.norm(front[:-1] + along[:, None] * ahead - values, axis=1).min())


def run_start(method: str, scale: float, start: tuple[float, float], steps: int) -> dict[str, Any]:
    """Optimise from one starting point; return its record."""
    torch.manual_seed(0)
    began = time.perf_counter()
    point = torch.tensor([start], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([point], lr=RATE)
    options = dict(OPTIONS.get(method, {}))
    if make_balancer(method, TASKS, options).needs_gradients:
        options["where"] = "parameters"
    balance = make_balancer(method, TASKS, options)

    def losses() -> dict[str, Tensor]:
        # Above their lower bounds: several rules are defined for positive losses only. No gradient changes.
        return dict(zip(TASKS, (objectives(point[0], scale) - BOUND * point.new_tensor([scale, 1.0])), strict=True))

    path, total, before = [], torch.zeros(2, dtype=torch.float64), torch.inf
    for step in range(steps):
        if step % 100 == 0:
            path.append([round(value, 4) for value in point[0].tolist()])
        scalar = balance(losses(), parameters=[point])
        optimizer.zero_grad()
        scalar.backward()
        if method in CLIPPED:
            torch.nn.utils.clip_grad_norm_([point], 1.0)
        optimizer.step()
        balance.after_step(losses)
        balance.on_epoch_end()
        total += point[0].detach()
        if (step + 1) % WINDOW == 0:
            mean, total = total / WINDOW, torch.zeros_like(total)
            if (mean - before).abs().max() < DRIFT and distance(mean) <= TOLERANCE:
                break
            before = mean
    return {
        "method": method,
        "scale": scale,
        "start": list(start),
        "steps": steps,
        "taken": step + 1,
        "end": point[0].tolist(),
        "seconds": round(time.perf_counter() - began, 1),
        "path": [*path, point[0].tolist()],
    }


def key(record: dict[str, Any]) -> tuple[Any, ...]:
    return record["method"], record["scale"], tuple(record["start"]), record["steps"]


def read_records(file: Path | None) -> Iterator[dict[str, Any]]:
    """Yield the finished records of a file; a last line that was cut off is left out."""
    for line in file.read_text(encoding="utf-8").splitlines() if file and file.exists() else ():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


def run_all(cells: list[tuple[Any, ...]], jobs: int, output: Path | None) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Run the cells that no record has yet, in `jobs` processes; return all records by cell."""
    records = {key(record): record for record in read_records(output) if key(record) in cells}
    missing = [cell for cell in cells if cell not in records]
    with ProcessPoolExecutor(jobs, initializer=begin_worker, initargs=(1,)) as pool:
        for future in as_completed([pool.submit(run_start, *cell) for cell in missing]):
            record = future.result()
            records[key(record)] = record
            if output:
                with output.open("a", encoding="utf-8") as file:
                    file.write("\n" * cut_off(output) + json.dumps(record) + "\n")
    return records


def cut_off(file: Path) -> bool:
    """Return whether a file ends in the middle of a line."""
    return file.stat().st_size > 0 and not file.read_bytes().endswith(b"\n")


def draw(records: Iterable[dict[str, Any]], scale: float, file: Path) -> None:
    """Draw each method's ways over the mean of the objectives, and their ends on the front."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    chosen = [record for record in records if record["scale"] == scale]
    methods = list(dict.fromkeys(record["method"] for record in chosen))
    columns = min(5, len(methods))
    rows = math.ceil(len(methods) / columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(2.4 * columns, 2.5 * rows), sharex=True, sharey=True, squeeze=False
    )
    side = np.linspace(-11, 11, 221)
    plane = torch.tensor(np.stack(np.meshgrid(side, side), axis=-1))
    mean = objectives(plane).mean(-1).numpy()
    for axis in axes.flat[len(methods) :]:
        axis.set_visible(False)
    for axis, method in zip(axes.flat, methods, strict=False):
        axis.contour(side, side, mean, levels=14, colors="0.8", linewidths=0.6)
        axis.plot([-7, 7], [-8.36, -8.36], color="0.55", linewidth=5, solid_capstyle="round", zorder=1)
        for record in chosen:
            if record["method"] == method:
                path = np.array(record["path"])
                axis.scatter(*path.T, c=np.linspace(0, 1, len(path)), cmap="viridis", s=2, zorder=2)
                axis.plot(*path[0], "o", color="black", markersize=4, zorder=3)
                axis.plot(*path[-1], "X", color="#d55e00", markersize=6, zorder=4)
        axis.set_title(method, fontsize=9)
        axis.set_aspect("equal")
        axis.tick_params(labelsize=7)
    figure.suptitle(f"Ways from the starts (dots) to their ends (crosses); first objective × {scale:g}", fontsize=10)
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    plt.close(figure)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one start, two methods, scale 0.1: under a minute")
    parser.add_argument("--methods", nargs="+", choices=sorted(BALANCERS), help="default: those of the table")
    parser.add_argument("--scales", nargs="+", type=float, default=SCALES, help="of the first objective")
    parser.add_argument("--steps", type=int, help=f"default: {STEPS}")
    parser.add_argument("--jobs", type=int, default=2, help="processes, of one thread each")
    parser.add_argument("--output", type=Path, help="JSONL file of finished starts, to go on from")
    parser.add_argument("--picture", type=Path, help="image file to draw the ways to, for the last scale")
    chosen = parser.parse_args(arguments)
    methods, scales, starts, steps = chosen.methods or METHODS, tuple(chosen.scales), STARTS, chosen.steps or STEPS
    if chosen.quick:
        methods, scales, starts, steps = QUICK_METHODS, (0.1,), QUICK_STARTS, chosen.steps or QUICK_STEPS
    cells = [(method, scale, start, steps) for scale in scales for method in methods for start in starts]
    records = run_all(cells, chosen.jobs, chosen.output)

    counts: dict[tuple[str, float], int] = {}
    print(f"Toy problem: starts out of {len(starts)} that reach the Pareto front\n")
    print(f"{'':13}{'scale':>6}{'reached':>9}{'papers':>8}{'steps':>9}{'s':>6}   distance at the end")
    for scale in scales:
        for method in methods:
            ends = [records[method, scale, start, steps] for start in starts]
            gaps = [distance(record["end"]) for record in ends]
            counts[method, scale] = sum(gap <= TOLERANCE for gap in gaps)
            reported = REPORTED.get((method, scale)) if starts == STARTS and steps == STEPS else None
            print(
                f"{method:13}{scale:6g}{counts[method, scale]:9}{'–' if reported is None else reported:>8}"
                f"{np.mean([record['taken'] for record in ends]):9.0f}{sum(record['seconds'] for record in ends):6.0f}"
                f"   {'  '.join(f'{gap:.3g}' for gap in gaps)}"
            )
    if chosen.picture:
        draw(records.values(), scales[-1], chosen.picture)
    reached = {f"{scale:g}": {method: counts[method, scale] for method in methods} for scale in scales}
    setting = {"starts": len(starts), "steps": steps, "tolerance": TOLERANCE, "torch": torch.__version__}
    print("\n" + json.dumps({"benchmark": "toy_pareto", "reached": reached} | setting))


if __name__ == "__main__":
    main()
