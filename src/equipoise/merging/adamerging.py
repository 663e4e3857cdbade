"""AdaMerging: task arithmetic whose coefficients make the merged model sure of itself."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor

from equipoise.errors import UsageError, did_you_mean
from equipoise.modeling import MultiTaskModel, evaluating
from equipoise.progress import Progress

from .base import Base
from .distributions import check_on, has_distribution, log_probabilities
from .operators import TaskVector
from .operators.base import check_shapes


@dataclass(frozen=True)
class AdaMerged:
    """What AdaMerging learnt.

    Args:
        coefficients: λ by expert and tensor; one for all tensors of an expert unless they were learnt layer by layer.
        entropies: the mean entropy before each step, in nats, by task.
        left_out: the tasks that had no say: those without a distribution over answers.
    """

    coefficients: dict[str, dict[str, float]]
    entropies: list[dict[str, float]]
    left_out: list[str]

    def merged(self, vectors: Mapping[str, TaskVector]) -> dict[str, Tensor]:
        """Return Σ λ τ by tensor, float32."""
        found: dict[str, Tensor] = {}
        for expert, own in self.coefficients.items():
            for tensor, coefficient in own.items():
                part = coefficient * vectors[expert][tensor]
                found[tensor] = found[tensor] + part if tensor in found else part
        return found


def adamerge(
    base: Base,
    vectors: Mapping[str, TaskVector],
    model: MultiTaskModel,
    rows: Mapping[str, Dataset],
    *,
    steps: int = 500,
    by_tensor: bool = True,
    start: float = 0.3,
    learning_rate: float = 1e-3,
    batch_size: int = 16,
    seed: int = 0,
    bar: Progress | None = None,
) -> AdaMerged:
    r"""Learn the coefficients of task arithmetic from texts without labels.

        min_λ Σ_tasks mean_x H(p_t(·|x; θ₀ + Σ_i λ_i τ_i)),    H(p) = −Σ_y p(y) log p(y)

    with one λ_i for each expert ("task-wise") or one for each expert and tensor ("layer-wise"), by Adam with the
    momenta 0.9 and 0.999. Every step draws a batch of texts of each task.

    Source: Yang et al., 2023, arXiv 2310.02575: start, learning rate, batch size and 500 steps are from there; the
    range [0, 1], in which λ is kept by clipping it after each step, is from the authors' code, which clips it before
    use. "Layers" are tensors, as there. Where tasks are of other kinds than classes it is our design: for labels H is
    the mean over them; scores of the format `prompt` count by the distribution over their grid. Scores of a task
    module and texts have none, and are left out.

    Args:
        base: the base, as it is.
        vectors: τ_i of each expert by its name.
        model: all tasks on the base's backbone (`Combined.put_on`); its mode is put back afterwards.
        rows: for each task texts that `MultiTaskModel.encode_rows` returned.
        steps: how many steps.
        by_tensor: one λ for each expert and tensor, else one for each expert.
        start: λ at first.
        learning_rate: Adam's.
        batch_size: texts of each task in a step.
        seed: of the draws.
        bar: moved by the steps done.

    Raises:
        UsageError: there are no experts, no rows of a task, no such task, or no task that has a distribution.
        ModelError: the model is not on the base, or a task vector does not fit it.
    """
    heard = _check(vectors, model, rows)
    check_shapes(vectors, base.tensors)
    check_on(base, model)
    # By identity: the model may lack the output layer that the base has, and with it a part of every name.
    own = {id(parameter): name for name, parameter in model.named_parameters()}
    names = {name: own[id(value)] for name, value in base.backbone.named_parameters() if id(value) in own}
    experts = {tensor: [name for name in sorted(vectors) if tensor in vectors[name]] for tensor in base.tensors}
    experts = {tensor: known for tensor, known in experts.items() if known}
    # One row a tensor, or one for all; one column an expert.
    order = {name: column for column, name in enumerate(sorted(vectors))}
    coefficients = torch.full((len(experts) if by_tensor else 1, len(order)), start, requires_grad=True)
    optimiser = torch.optim.Adam([coefficients], lr=learning_rate)
    draws = np.random.default_rng(seed)
    entropies = []
    with evaluating(model), torch.enable_grad():
        for _ in range(steps):
            merged = _merged(base, vectors, experts, order, coefficients.tolist())
            gradient = torch.zeros_like(coefficients)
            seen = {}
            for task in heard:
                drawn = draws.choice(len(rows[task]), min(batch_size, len(rows[task])), replace=False)
                items = rows[task].select(np.sort(drawn)).to_list()
                given = {names[tensor]: value for tensor, value in merged.items() if tensor in names}
                logs = log_probabilities(model, task, items, given)
                entropy = -(logs.exp() * logs).sum(dim=-1).mean()
                seen[task] = float(entropy.detach())
                pulls = torch.autograd.grad(entropy, list(merged.values()), allow_unused=True)
                for place, (tensor, pull) in enumerate(zip(merged, pulls, strict=True)):
                    if pull is not None:
                        for name in experts[tensor]:
                            row = place if by_tensor else 0
                            gradient[row, order[name]] += (pull * vectors[name][tensor].to(pull.device)).sum().cpu()
            entropies.append(seen)
            coefficients.grad = gradient
            optimiser.step()
            with torch.no_grad():
                coefficients.clamp_(0.0, 1.0)
            if bar is not None:
                bar.advance(note=f"entropy {sum(seen.values()) / len(seen):.4f}")
    found = coefficients.tolist()
    learnt: dict[str, dict[str, float]] = {name: {} for name in vectors}
    for place, (tensor, known) in enumerate(experts.items()):
        for name in known:
            learnt[name][tensor] = found[place if by_tensor else 0][order[name]]
    return AdaMerged(learnt, entropies, [task for task in rows if task not in heard])


def _merged(
    base: Base,
    vectors: Mapping[str, TaskVector],
    experts: Mapping[str, list[str]],
    order: Mapping[str, int],
    coefficients: list[list[float]],
) -> dict[str, Tensor]:
    """Return θ₀ + Σ λ τ by tensor, each of which is a leaf with a gradient."""
    found = {}
    tensors = base.tensors
    for place, (tensor, known) in enumerate(experts.items()):
        value = tensors[tensor].clone()
        for name in known:
            own = vectors[name][tensor].to(value.device)
            value.add_(own, alpha=coefficients[place if len(coefficients) > 1 else 0][order[name]])
        found[tensor] = value.requires_grad_()
    return found


def _check(vectors: Mapping[str, TaskVector], model: MultiTaskModel, rows: Mapping[str, Dataset]) -> list[str]:
    """Return the tasks that have a say."""
    if not any(vectors.values()):
        raise UsageError("merge: 'adamerging' has no experts that differ from the base. Name one at least.")
    for task, own in rows.items():
        if task not in model.tasks:
            raise UsageError(
                f"merge: there are texts for '{task}', of which the model has no task. "
                f"{did_you_mean(task, model.tasks)}"
            )
        if not len(own):
            raise UsageError(f"merge: found no texts of task '{task}', expected one at least.")
    heard = [task for task in rows if has_distribution(model.tasks[task])]
    if not heard:
        raise UsageError(
            f"merge: 'adamerging' needs a task with a distribution over answers (classification, multilabel, or "
            f"regression with format: prompt), found {', '.join(rows) or 'none'}; take another operator, such as "
            "'task_arithmetic'."
        )
    return heard
