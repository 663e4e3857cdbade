"""What balancing adds to a training step, in time and in memory.

Every balancer, TorchJD's `mtl_backward` and LibMTL train one model in turns, in one process: MiniLM (the starter) and a
random Llama of 4 layers, mean-pooled, with 2, 4 and 8 linear heads. A step is forward, scalar, backward and
AdamW step on a batch of 32 × 32 tokens that all tasks label. It is compared with that of the plain sum of the tasks'
mean losses.

    python benchmarks/step_cost.py [--quick] [--models minilm llama] [--tasks 2 4 8] [--seconds 80]

- ratio: the median over turns of a step's time, divided by that of the plain sum in the same turn, with a 95 %
  bootstrap interval over turns. Every turn has a random order, in which the plain sum stands several times.
- rule ms: how much longer than the plain sum it takes to make the scalar of the losses, where there is one: all that
  balancing computes between forward and backward. It varies far less than a whole step; `1 + rule` is the ratio that
  it alone would make.
- memory: the peak of the process's resident memory in a step, divided by that of the plain sum. It is taken in a
  process of its own, in which freed blocks go back to the system at once, and whose peak is reset before each (Linux).
  On a GPU it is the peak of what PyTorch has allocated.

A goal is missed if the interval lies above it, or `1 + rule` does; an interval needs six steps. Rules with a goal of
their own are measured in every turn, other balancers in every third; those that read the losses alone share a row too.
Ways that differentiate all parameters are measured in every tenth turn. LibMTL is no dependency: `pip install --no-deps
LibMTL==1.1.5` adds its rows.
"""

import argparse
import importlib.util
import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import torch
import torchjd.aggregation
from torch import Tensor, nn
from torchjd.autojac import jac_to_grad, mtl_backward
from transformers import AutoModel, BertConfig, LlamaConfig, logging

from equipoise.balancing import BALANCERS, Repeatable, make_balancer
from equipoise.errors import EquipoiseError
from equipoise.starter import fetch
from measuring import FEW, interval, number, peak_memory, rounded, run_apart, setting, synchronize

ROWS, TOKENS, VOCABULARY = 32, 32, 30522
PLAIN = "plain sum"
GOALS = {name: {2: 1.05, 8: 1.15} for name in ("dao", "imtl_g", "pcgrad", "upgrad", "mgda")}
LOSS_ONLY, LOSS_ONLY_GOAL = "all by losses alone", 1.01
AGGREGATORS = {"torchjd upgrad": "UPGrad", "torchjd pcgrad": "PCGrad"}
LIBMTL = {"libmtl imtl": "IMTL", "libmtl mgda": "MGDA", "libmtl pcgrad": "PCGrad"}
AT_PARAMETERS = {"pcgrad at parameters": "pcgrad", "upgrad at parameters": "upgrad"}
QUICK = (*GOALS, "uncertainty", "upgrad at parameters", "torchjd upgrad", "libmtl pcgrad")

Losses = Mapping[str, Tensor]
Way = Callable[[], float]
"""Makes the gradients of a batch and steps; returns the seconds from the losses to the scalar, NaN without one."""


def load_backbone(name: str) -> nn.Module:
    """Return a backbone; "tiny" is for trying this script out."""
    if name == "minilm":
        logging.set_verbosity_error()
        return AutoModel.from_pretrained(fetch("minilm"), add_pooling_layer=False)
    if name == "llama":
        shape = {"hidden_size": 384, "num_hidden_layers": 4, "num_attention_heads": 6, "intermediate_size": 1024}
        return AutoModel.from_config(LlamaConfig(vocab_size=VOCABULARY, **shape))
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    return AutoModel.from_config(BertConfig(vocab_size=VOCABULARY, **shape), add_pooling_layer=False)


class Bench(nn.Module):
    """A backbone, mean pooling, one linear head a task, and its optimizer: scores and classes in turns."""

    def __init__(self, model: str, count: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.where = "cuda" if torch.cuda.is_available() else "cpu"
        self.kinds = {f"task {i}": ("regression", "classification")[i % 2] for i in range(count)}
        self.backbone = load_backbone(model).train().to(self.where)
        width = self.backbone.config.hidden_size
        self.heads = nn.ModuleList(
            nn.Linear(width, 1 if kind == "regression" else 3) for kind in self.kinds.values()
        ).to(self.where)
        self.optimizer = torch.optim.AdamW(self.parameters(), lr=1e-5)
        self.new_batch()

    def new_batch(self) -> None:
        """Draw tokens and labels."""
        self.batch = torch.randint(VOCABULARY, (ROWS, TOKENS), device=self.where)
        self.targets = {
            task: torch.randn(ROWS, device=self.where)
            if kind == "regression"
            else torch.randint(3, (ROWS,), device=self.where)
            for task, kind in self.kinds.items()
        }

    def read(self) -> tuple[Tensor, Losses]:
        """Return the pooled features and every task's losses by example."""
        features = self.backbone(self.batch).last_hidden_state.mean(1)
        outputs = {task: module(features) for task, module in zip(self.kinds, self.heads, strict=True)}
        return features, {
            task: (output.squeeze(1) - self.targets[task]).square()
            if self.kinds[task] == "regression"
            else nn.functional.cross_entropy(output, self.targets[task], reduction="none")
            for task, output in outputs.items()
        }

    def plain(self) -> Way:
        """The sum of the mean losses."""

        def step() -> float:
            _, losses = self.read()
            return self.descend(lambda: sum(loss.mean() for loss in losses.values()))

        return step

    def ours(self, name: str, **options: Any) -> Way:
        """One of our balancers; `options` are its own."""
        if name == "static":
            options["weights"] = dict.fromkeys(self.kinds, 1.0)
        balance = make_balancer(name, self.kinds, options)
        shared = list(self.backbone.parameters())

        def step() -> float:
            features, losses = None, {}

            def compute() -> Losses:
                nonlocal features
                features, losses = self.read()
                return losses

            again = Repeatable(compute) if balance.needs_next_losses else compute
            losses = again()
            read = {"features": features, "targets": self.targets, "parameters": shared}
            seconds = self.descend(lambda: balance(losses, **read))
            balance.after_step(again)
            return seconds

        return step

    def descend(self, scalar: Callable[[], Tensor]) -> float:
        """Step along a scalar; return the seconds that it took to make it."""
        synchronize()
        start = time.perf_counter()
        made = scalar()
        synchronize()
        seconds = time.perf_counter() - start
        made.backward()
        self.optimizer.step()
        return seconds

    def torchjd(self, aggregator: str) -> Way:
        """TorchJD's Jacobian of all tasks by all shared parameters, aggregated."""
        aggregate = getattr(torchjd.aggregation, aggregator)()

        def step() -> float:
            features, losses = self.read()
            mtl_backward([loss.mean() for loss in losses.values()], features=features)
            jac_to_grad(list(self.backbone.parameters()), aggregate)
            self.optimizer.step()
            return float("nan")

        return step

    def libmtl(self, weighting: str) -> Way:
        """LibMTL's own class, told what its trainer would tell it."""
        rule = getattr(load_libmtl(), weighting)()
        rule.task_num, rule.device, rule.rep_grad = len(self.kinds), self.where, False
        rule.get_share_params = self.backbone.parameters
        # It counts on gradients that are set to zero, as PyTorch did when it was written.
        rule.zero_grad_share_params = lambda: self.backbone.zero_grad(set_to_none=False)
        rule.init_param()

        def step() -> float:
            _, losses = self.read()
            rule.backward(torch.stack([loss.mean() for loss in losses.values()]), mgda_gn="none")
            self.optimizer.step()
            return float("nan")

        return step


def load_libmtl() -> ModuleType:
    """Import LibMTL's weightings without its `__init__`, which needs a torchvision of 2021."""
    if "LibMTL" not in sys.modules:
        found = importlib.util.find_spec("LibMTL")
        if found is None:
            raise ModuleNotFoundError("not installed")
        package = ModuleType("LibMTL")
        package.__path__ = list(found.submodule_search_locations)
        sys.modules["LibMTL"] = package
    return importlib.import_module("LibMTL.weighting")


def is_loss_only(name: str) -> bool:
    """Whether a balancer reads the losses of one forward pass and nothing else."""
    rule = BALANCERS.get(name)
    return rule is not None and rule.needs == "losses" and not rule.needs_next_losses


def goal(name: str, count: int) -> float | None:
    return LOSS_ONLY_GOAL if name == LOSS_ONLY or is_loss_only(name) else GOALS.get(name, {}).get(count)


def every(name: str) -> int:
    """In every which turn something is measured."""
    if name in (*GOALS, LOSS_ONLY):
        return 1
    return 3 if name in BALANCERS else 10


def make_ways(bench: Bench, quick: bool) -> Iterator[tuple[str, Way | str]]:
    """Yield every way by its name, made when it is asked for; instead of it, why it cannot be measured."""
    makers: dict[str, Callable[[], Way]] = {PLAIN: bench.plain}
    makers |= {name: partial(bench.ours, name) for name in sorted(BALANCERS)}
    makers |= {name: partial(bench.ours, rule, where="parameters") for name, rule in AT_PARAMETERS.items()}
    makers |= {name: partial(bench.torchjd, aggregator) for name, aggregator in AGGREGATORS.items()}
    makers |= {name: partial(bench.libmtl, weighting) for name, weighting in LIBMTL.items()}
    for name, maker in makers.items():
        if not quick or name in (PLAIN, *QUICK):
            try:
                yield name, maker()
            except (EquipoiseError, ModuleNotFoundError) as error:
                yield name, str(error)


def warm_up(bench: Bench, quick: bool) -> None:
    """Import what is imported late, with a tiny model, and let the optimizer make its state."""
    tiny = Bench("tiny", 2)
    for _, way in make_ways(tiny, quick):
        if not isinstance(way, str):
            take(tiny, way)
    take(bench, bench.plain())


def take(bench: Bench, way: Way) -> tuple[float, float]:
    """Take one step on a new batch; return its seconds, and those of making the scalar."""
    bench.new_batch()
    bench.optimizer.zero_grad()
    synchronize()
    start = time.perf_counter()
    scalar = way()
    synchronize()
    return time.perf_counter() - start, scalar


def measure_times(bench: Bench, ways: Mapping[str, Way], seconds: float) -> dict[str, list[tuple[float, float]]]:
    """Take turns until the time is up, one at least; return by name the ratios to the plain sum, and its rule ms."""
    order = random.Random(0)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    end, turn = time.perf_counter() + seconds, 0
    while turn == 0 or time.perf_counter() < end:
        due = [name for name in ways if name != PLAIN and turn % every(name) == 0]
        order.shuffle(due)
        taken: dict[str, list[tuple[float, float]]] = {PLAIN: []}
        for name in with_plain(due):
            taken.setdefault(name, []).append(take(bench, ways[name]))
        whole, scalar = np.median(taken.pop(PLAIN), axis=0)
        found[PLAIN].append((whole, scalar))
        for name, ((total, rule),) in taken.items():
            found[name].append((total / whole, 1000 * (rule - scalar)))
        turn += 1
    return found


def with_plain(names: list[str], distance: int = 5) -> Iterator[str]:
    """Put the plain sum before the first, after the last, and after every few."""
    for start in range(0, len(names), distance):
        yield PLAIN
        yield from names[start : start + distance]
    yield PLAIN


def measure_memory(bench: Bench, quick: bool) -> dict[str, float]:
    """Return by name the peak memory of a step in MiB."""
    peaks = {}
    for name, way in make_ways(bench, quick):
        if not isinstance(way, str):
            peaks[name] = peak_memory(partial(take, bench, way))
    return peaks


def ask_for_memory(model: str, count: int, quick: bool) -> dict[str, float]:
    """Measure memory in a process of its own, in which freed blocks of memory are given back."""
    arguments = ["--memory-only", "--models", model, "--tasks", str(count)]
    return run_apart(__file__, arguments + ["--quick"] * quick)


def report(model: str, count: int, seconds: float, quick: bool) -> dict[str, dict[str, Any]]:
    """Measure one model with one number of tasks, print the table, and return it."""
    bench = Bench(model, count)
    warm_up(bench, quick)
    made = dict(make_ways(bench, quick))
    found = measure_times(bench, {name: way for name, way in made.items() if not isinstance(way, str)}, seconds)
    found[LOSS_ONLY] = [pair for name in found if is_loss_only(name) for pair in found[name]]
    memory = ask_for_memory(model, count, quick)
    base = 1000 * np.median([whole for whole, _ in found.pop(PLAIN)])
    print(f"\n{model}, {count} tasks; a step of the plain sum: {base:.1f} ms, {memory[PLAIN]:.0f} MiB\n")
    print(
        f"{'':22}{'ratio':>8}   {'95 % interval':16}{'steps':>6}{'goal':>7}{'rule ms':>9}{'1 + rule':>10}{'memory':>8}"
    )
    rows: dict[str, dict[str, Any]] = {}
    for name in sorted(found, key=lambda name: (every(name), name)):
        ratios, rule = np.array(found[name]).T
        low, high = interval(ratios) if len(ratios) >= FEW else (None, None)
        rows[name] = {
            "ratio": float(np.median(ratios)),
            "low": low,
            "high": high,
            "steps": len(ratios),
            "goal": None if model == "tiny" else goal(name, count),
            "rule_ms": number(np.median(rule)),
            "1 + rule": number(1 + np.median(rule) / base),
            "memory": number(memory.get(name, float("nan")) / memory[PLAIN]),
        }
        row = {key: "–" if value is None else f"{value:.3f}" for key, value in rows[name].items()}
        bounds = "–" if low is None else f"{row['low']} to {row['high']}"
        print(
            f"{name:22}{row['ratio']:>8}   {bounds:16}{len(ratios):6}{row['goal']:>7}"
            f"{row['rule_ms']:>9}{row['1 + rule']:>10}{row['memory']:>8}"
        )
    for name, way in made.items():
        if isinstance(way, str):
            print(f"{name:22}{way}")
    plain = {"ms": float(base), "mib": number(memory[PLAIN])}
    return {name: rounded(row) for name, row in (rows | {PLAIN: plain}).items()}


def is_missed(row: dict[str, Any]) -> bool:
    return row.get("goal") is not None and max(row["low"] or 0.0, row["1 + rule"]) > row["goal"]


def headline(rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Keep the rows that have goals and the ways through all parameters."""
    kept = [name for name in rows if name in (LOSS_ONLY, *GOALS, *AGGREGATORS, *LIBMTL, *AT_PARAMETERS)]
    return {name: {key: rows[name][key] for key in ("ratio", "low", "high", "1 + rule", "memory")} for name in kept}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="Llama, 8 tasks, some rows: a minute")
    parser.add_argument("--models", nargs="+", choices=["minilm", "llama", "tiny"], default=["minilm", "llama"])
    parser.add_argument("--tasks", nargs="+", type=int, default=[2, 4, 8], help="how many")
    parser.add_argument("--seconds", type=float, default=80, help="of turns, for each model and number of tasks")
    parser.add_argument("--memory-only", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.memory_only:
        bench = Bench(chosen.models[0], chosen.tasks[0])
        warm_up(bench, chosen.quick)
        print(json.dumps(measure_memory(bench, chosen.quick)))
        return
    models, counts, seconds = chosen.models, chosen.tasks, chosen.seconds
    if chosen.quick and models == parser.get_default("models"):
        models, counts, seconds = ["llama"], [8], 12
    results = {model: {str(count): report(model, count, seconds, chosen.quick) for count in counts} for model in models}
    missed = [
        f"{name}, {count} tasks, {model}"
        for model, by_count in results.items()
        for count, rows in by_count.items()
        for name, row in rows.items()
        if is_missed(row)
    ]
    figures = {model: {count: headline(rows) for count, rows in found.items()} for model, found in results.items()}
    result = {"benchmark": "step_cost", "missed": missed, "results": figures}
    print("\n" + json.dumps(result | setting()))


if __name__ == "__main__":
    main()
