"""The benchmark of merge operators merges with every one of them, twice."""

import json
from pathlib import Path

import pytest
import torch

from equipoise.merging import MERGE_OPERATORS

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import merge_operators

    monkeypatch.setattr(merge_operators.torch, "set_num_threads", lambda threads: None)
    return merge_operators


def test_it_measures(benchmark, capfd):
    benchmark.main(["--experts", "3", "--shape", "12", "18", "--rank", "2", "--turns", "2"])
    found = json.loads(capfd.readouterr().out.splitlines()[-1])
    rows = {(row["operator"], row["vectors"]) for row in found["table"]}
    # SLERP takes two experts; RegMean and Fisher need statistics.
    names = set(MERGE_OPERATORS) - {"slerp", "regmean", "fisher"}
    assert rows == {(name, kind) for name in names for kind in ("rank 2", "full")}


def test_the_vectors_have_their_rank(benchmark):
    for rank, expected in ((2, 2), (None, 12)):
        for vector in benchmark.make_vectors(3, (12, 18), rank).values():
            assert torch.linalg.matrix_rank(vector["weight"], rtol=1e-4) == expected


def test_a_merge_again_has_what_the_first_precomputed(benchmark, monkeypatch):
    calls = []
    precompute = MERGE_OPERATORS["tsv_m"].precompute
    monkeypatch.setattr(
        MERGE_OPERATORS["tsv_m"], "precompute", lambda self, vectors: calls.append(1) or precompute(self, vectors)
    )
    first, again = benchmark.merge_twice("tsv_m", benchmark.make_vectors(3, (12, 18), 2), 0)
    assert first > 0 < again
    assert len(calls) == 1
