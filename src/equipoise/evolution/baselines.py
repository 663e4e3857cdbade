"""Baselines: merges without a search, which evolved ones are compared with."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from equipoise.merging import (
    AdaMergingSettings,
    ExpertRows,
    RowSample,
    Vector,
    adamerge,
    collect_statistics,
    make_merge_operator,
)
from equipoise.progress import Progress

from .recipes import Recipe
from .workbench import Workbench

ADAMERGING_STEPS = 500


def baseline_recipes(name: str, experts: Sequence[str], scales: Sequence[float], seed: int) -> list[Recipe]:
    """Return what a baseline may be; where there are several, dev chooses.

    Args:
        name: "uniform", the average of the experts; "task_arithmetic", one coefficient for all, chosen from `scales`;
            else an operator with its default options and weights.
        experts: the experts' names.
        scales: the coefficients to choose from.
        seed: of random draws.
    """
    if name == "task_arithmetic":
        return [Recipe(name, {}, (dict.fromkeys(experts, scale),), seed) for scale in scales]
    operator = "linear" if name == "uniform" else name
    weights = make_merge_operator(operator).default_weights(len(experts))
    return [Recipe(operator, {}, (dict(zip(experts, weights, strict=True)),), seed)]


def peft_linear(vectors: Mapping[str, Vector]) -> dict[str, Tensor] | None:
    """Merge LoRA adapters with equal weights as peft's `add_weighted_adapter` does by "linear", its default.

    A and B are averaged apart, Σ √w_i A_i and Σ √w_i B_i with the scale in them: the product is not Σ w_i B_i A_i.

    Returns:
        The merged task vector; None where an expert is no LoRA adapter.
    """
    parts = [vector.factors for vector in vectors.values() if vector.factors is not None]
    if len(parts) < len(vectors):
        return None
    share = (1 / len(parts)) ** 0.5
    merged = {}
    for tensor in dict.fromkeys(name for factors in parts for name in factors):
        own = [factors[tensor] for factors in parts if tensor in factors]
        up, down = (torch.stack(list(sides)).sum(0) * share for sides in zip(*own, strict=True))
        merged[tensor] = up @ down
    return merged


def collect_for(name: str, bench: Workbench) -> dict[str, dict[str, Tensor]]:
    """Collect what "regmean" or "fisher" needs to know of each expert's training rows, by expert and tensor."""
    train, table = bench.table.splits["train"], bench.table
    experts = {
        expert: ExpertRows(bench.model, vector.tensors, {expert: train.select(table.rows(expert, "train"))})
        for expert, vector in bench.vectors.items()
    }
    sample = RowSample(seed=bench.config.train.seed)
    return collect_statistics(make_merge_operator(name), bench.base, experts, sample)


def learn_adamerging(bench: Workbench) -> tuple[dict[str, Tensor], list[str]]:
    """Merge by AdaMerging on the texts of train.

    Returns:
        The merged task vector, and sentences on tasks that have no say.
    """
    rows = {task: bench.rows("train").select(bench.table.rows(task, "train")) for task in bench.table.scored}
    bar = Progress("Learning coefficients", ADAMERGING_STEPS, "step")
    try:
        found = adamerge(
            bench.base,
            bench.task_vectors,
            bench.model,
            rows,
            settings=AdaMergingSettings(steps=ADAMERGING_STEPS, seed=bench.config.train.seed),
            bar=bar,
        )
    finally:
        bar.close()
    notes = [f"tasks without a distribution have no say: {', '.join(found.left_out)}"] if found.left_out else []
    return found.merged(bench.task_vectors), notes
