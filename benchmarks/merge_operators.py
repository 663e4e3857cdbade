"""What merging one matrix costs, the first time and again with other weights, as a search does.

    python benchmarks/merge_operators.py [--quick] [--experts 8] [--shape 576 1536] [--rank 8] [--turns 6]

Task vectors are random matrices: of the rank of a LoRA adapter, and of full rank. Every operator that needs no
statistics and takes so many experts merges them in turns, in random order, on one core: with an empty cache ("first"),
and then with other weights and what the cache holds ("again"). Columns: median seconds over turns, and again ÷ first.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from equipoise.merging import MERGE_OPERATORS, Reuse, TaskVector, make_merge_operator
from measuring import rounded, setting, take_turns

TENSOR = "weight"


def make_vectors(experts: int, shape: tuple[int, int], rank: int | None) -> dict[str, TaskVector]:
    """Draw task vectors of a rank, or of full rank."""
    draw = torch.Generator().manual_seed(0)
    rows, columns = shape
    vectors = {}
    for expert in range(experts):
        if rank is None:
            drawn = torch.randn((rows, columns), generator=draw)
        else:
            drawn = torch.randn((rows, rank), generator=draw) @ torch.randn((rank, columns), generator=draw)
        vectors[str(expert)] = {TENSOR: drawn / 100}
    return vectors


def merge_twice(name: str, vectors: dict[str, TaskVector], turn: int) -> tuple[float, float]:
    """Merge with an empty cache, and again with other weights; return the seconds of both."""
    operator, base = make_merge_operator(name), {TENSOR: torch.zeros_like(next(iter(vectors.values()))[TENSOR])}
    global_stats, cache = operator.global_stats(vectors), {}
    weights = np.random.default_rng(turn).uniform(0.5, 1.5, (2, len(vectors)))
    seconds = []
    for own in weights:
        begun = time.perf_counter()
        list(operator.merge(vectors, dict(zip(vectors, own, strict=True)), base, reuse=Reuse(global_stats, cache)))
        seconds.append(time.perf_counter() - begun)
    return seconds[0], seconds[1]


def measure(experts: int, shape: tuple[int, int], rank: int, turns: int) -> list[dict[str, Any]]:
    """Take all operators in turns; the rows of the table."""
    given = {f"rank {rank}": make_vectors(experts, shape, rank), "full": make_vectors(experts, shape, None)}
    ways: dict[tuple[str, str], Callable[[int], tuple[float, float]]] = {
        (name, kind): partial(merge_twice, name, vectors)
        for name, operator in MERGE_OPERATORS.items()
        if not operator.statistics and (operator.most_experts is None or operator.most_experts >= experts)
        for kind, vectors in given.items()
    }
    table = []
    for (name, kind), found in take_turns(ways, turns).items():
        first, again = np.median(np.array(found), axis=0)
        ratio = float(np.median([second / one for one, second in found]))
        table.append({"operator": name, "vectors": kind, "first": float(first), "again": float(again), "ratio": ratio})
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experts", type=int, default=8, help="How many experts.")
    parser.add_argument("--shape", type=int, nargs=2, default=(576, 1536), help="Of the matrix: out, in.")
    parser.add_argument("--rank", type=int, default=8, help="Of the adapters.")
    parser.add_argument("--turns", type=int, default=6, help="Turns.")
    parser.add_argument("--quick", action="store_true", help="At most a minute: a matrix of 192 × 384, two turns.")
    given = parser.parse_args(arguments)
    shape, turns = ((192, 384), 2) if given.quick else (tuple(given.shape), given.turns)
    torch.set_num_threads(1)
    table = measure(given.experts, shape, given.rank, turns)
    print(f"{'operator':16} {'vectors':8} {'first, s':>9} {'again, s':>9} {'ratio':>6}")
    for row in table:
        print(f"{row['operator']:16} {row['vectors']:8} {row['first']:9.4f} {row['again']:9.4f} {row['ratio']:6.2f}")
    asked = {"experts": given.experts, "shape": list(shape), "turns": turns}
    print(json.dumps({"benchmark": "merge_operators", "table": [rounded(row) for row in table]} | asked | setting()))


if __name__ == "__main__":
    main()
