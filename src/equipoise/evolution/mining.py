"""The weak rows of all tasks, chosen by what their experts make of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from equipoise.data import Table
from equipoise.errors import DataError
from equipoise.progress import progress

from .unseen import UNSEEN
from .weak import mine_weak
from .workbench import Indices, Workbench

_POOL = 4
"""Of so many times as many rows that no expert has learnt from the weak ones are chosen."""


def choose_weak(bench: Workbench, split: str) -> dict[str, Any]:
    """Choose the rows that candidates are scored on, and those that last layers of candidates are fitted to.

    Args:
        bench: the workbench.
        split: "train", or "unseen" (see `with_unseen`), of which some rows are drawn.

    Returns:
        "tasks": by name "rows", indices into the labelled rows of the split; "fit", indices into those of train; how
        many rows are "weak"; how many were "read", and of these the shares that are "wrong" and "suspected" (see
        `mine_weak`).

    Raises:
        DataError: no row of a task is weak, or a text stands in dev or test, too.
    """
    table, settings, seed = bench.table, bench.config.merge.weak, bench.config.train.seed
    pools = {name: _pool(table, name, split, _POOL * settings.rows, seed) for name in bench.model.tasks}
    found = {}
    with progress("Looking for weak rows", sum(map(len, pools.values())), "row") as bar:
        for name, pool in pools.items():
            with bench.applied(bench.vectors[name].tensors):
                read = {name: table.rows(name, split)[pool]}
                predictions = bench.predict(split, read, precise=False, bar=bar)[name]
            weak = mine_weak(
                bench.model.tasks[name],
                predictions,
                table.labels(name, split)[pool],
                rows=settings.rows,
                share=settings.share,
                drop_noise=settings.drop_noise,
                seed=seed,
            )
            others = np.setdiff1d(np.arange(len(table.rows(name, "train"))), weak.rows if split == "train" else [])
            fit = np.random.default_rng(seed).permutation(others)[: bench.config.merge.refit_rows]
            found[name] = {
                "rows": pool[weak.rows].tolist(),
                "fit": sorted(fit.tolist()),
                "weak": weak.weak,
                "wrong": weak.wrong / len(pool),
                "suspected": len(weak.suspected) / len(pool),
                "read": len(pool),
            }
    _check_apart(table, split, {name: one["rows"] for name, one in found.items()})
    return {"tasks": found}


def _pool(table: Table, task: str, split: str, most: int, seed: int) -> Indices:
    """Return the labelled rows that weak ones are chosen from, ascending: all of train, or so many drawn ones."""
    pool = np.arange(len(table.rows(task, split)))
    return np.sort(np.random.default_rng(seed).permutation(pool)[:most]) if split == UNSEEN else pool


def _check_apart(table: Table, split: str, weak: Mapping[str, Sequence[int]]) -> None:
    """Refuse to search on a text by which dev chooses, or that test reports."""
    read = {other: set(table.texts(other)) for other in ("dev", "test")}
    for task, rows in weak.items():
        places = table.rows(task, split)[list(rows)]
        for text in table.splits[split][places]["text"]:
            for other, texts in read.items():
                if text in texts:
                    raise DataError(
                        f"task '{task}': the training text {text[:60]!r} stands in {other}, too; a merge is searched "
                        "on train, chosen on dev and reported on test, which must not overlap. Remove it from one."
                    )
