"""AdaMerging: task arithmetic whose coefficients make the merged model sure of itself."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor

from equipoise.data import FlatRows
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
        merged: dict[str, Tensor] = {}
        for expert, own in self.coefficients.items():
            for tensor, coefficient in own.items():
                scaled = coefficient * vectors[expert][tensor]
                merged[tensor] = merged[tensor] + scaled if tensor in merged else scaled
        return merged


@dataclass(frozen=True)
class AdaMergingSettings:
    """How AdaMerging learns.

    Args:
        steps: how many steps.
        by_tensor: one λ for each expert and tensor, else one for each expert.
        start: λ at first.
        learning_rate: Adam's.
        batch_size: texts of each task in a step.
        seed: of the draws.
    """

    steps: int = 500
    by_tensor: bool = True
    start: float = 0.3
    learning_rate: float = 1e-3
    batch_size: int = 16
    seed: int = 0


def adamerge(
    base: Base,
    vectors: Mapping[str, TaskVector],
    model: MultiTaskModel,
    rows: Mapping[str, Dataset],
    *,
    settings: AdaMergingSettings = AdaMergingSettings(),
    bar: Progress | None = None,
) -> AdaMerged:
    r"""Learn the coefficients of task arithmetic from texts without labels.

        min_λ Σ_tasks mean_x H(p_t(·|x; θ₀ + Σ_i λ_i τ_i)),    H(p) = −Σ_y p(y) log p(y)

    with one λ_i for each expert ("task-wise") or one for each expert and tensor ("layer-wise"), by Adam with the
    momenta 0.9 and 0.999. Every step draws a batch of texts of each task.

    Source: Yang et al., 2023, arXiv 2310.02575: start, learning rate, batch size and 500 steps are from there; the
    range [0, 1], in which λ is kept by clipping it after each step, is from the authors' code, which clips it before
    use. "Layers" are tensors, as there. Where tasks are of other kinds than classes it is our design: for labels H is
    the mean over them; scores of the format `prompt` count by the distribution over their grid. Scores of a head and
    texts have none, and are left out.

    Args:
        base: the base, as it is.
        vectors: τ_i of each expert by its name.
        model: all tasks on the base's backbone (`Combined.put_on`); its mode is put back afterwards.
        rows: for each task texts that `MultiTaskModel.encode_rows` returned.
        settings: how it learns.
        bar: moved by the steps done.

    Raises:
        UsageError: there are no experts, no rows of a task, no such task, or no task that has a distribution.
        ModelError: the model is not on the base, or a task vector does not fit it.
    """
    heard = _check(vectors, model, rows)
    check_shapes(vectors, base.tensors)
    check_on(base, model)
    learner = _Coefficients(base, vectors, settings)
    texts = {task: FlatRows(rows[task]) for task in heard}
    entropies = _learn(learner, model, _names_in(base, model), texts, settings, bar)
    return AdaMerged(learner.by_expert(), entropies, [task for task in rows if task not in heard])


def _learn(
    learner: "_Coefficients",
    model: MultiTaskModel,
    names: Mapping[str, str],
    rows: Mapping[str, FlatRows],
    settings: AdaMergingSettings,
    bar: Progress | None,
) -> list[dict[str, float]]:
    """Learn the coefficients in place, and return the entropies before each step by task."""
    optimizer = torch.optim.Adam([learner.values], lr=settings.learning_rate)
    draws = np.random.default_rng(settings.seed)
    entropies = []
    with evaluating(model), torch.enable_grad():
        for _ in range(settings.steps):
            merged = learner.merge()
            given = {names[tensor]: value for tensor, value in merged.items() if tensor in names}
            gradient = torch.zeros_like(learner.values)
            seen = {}
            for task, texts in rows.items():
                drawn = draws.choice(len(texts), min(settings.batch_size, len(texts)), replace=False)
                logs = log_probabilities(model, task, texts.take(np.sort(drawn)), given)
                entropy = -(logs.exp() * logs).sum(dim=-1).mean()
                seen[task] = float(entropy.detach())
                learner.pull_back(entropy, merged, gradient)
            entropies.append(seen)
            learner.values.grad = gradient
            optimizer.step()
            learner.clip()
            if bar is not None:
                bar.advance(note=f"entropy {sum(seen.values()) / len(seen):.4f}")
    return entropies


def _names_in(base: Base, model: MultiTaskModel) -> dict[str, str]:
    """Return the names that a model has for the base's tensors.

    By identity: the model may lack the output layer that the base has, and with it a part of every name.
    """
    own = {id(parameter): name for name, parameter in model.named_parameters()}
    return {name: own[id(value)] for name, value in base.backbone.named_parameters() if id(value) in own}


class _Coefficients:
    """The coefficients λ: one row for each tensor, or one for all; one column for each expert."""

    def __init__(self, base: Base, vectors: Mapping[str, TaskVector], settings: AdaMergingSettings) -> None:
        self._tensors, self._vectors, self._by_tensor = base.tensors, vectors, settings.by_tensor
        changed_by = {tensor: [name for name in sorted(vectors) if tensor in vectors[name]] for tensor in self._tensors}
        self._changed_by = {tensor: experts for tensor, experts in changed_by.items() if experts}
        self._column = {name: column for column, name in enumerate(sorted(vectors))}
        shape = (len(self._changed_by) if settings.by_tensor else 1, len(self._column))
        self.values = torch.full(shape, settings.start, requires_grad=True)

    def merge(self) -> dict[str, Tensor]:
        """Return θ₀ + Σ λ τ by tensor, each of which is a leaf with a gradient."""
        merged = {}
        coefficients = self.values.tolist()
        for place, (tensor, experts) in enumerate(self._changed_by.items()):
            value = self._tensors[tensor].clone()
            for name in experts:
                own = self._vectors[name][tensor].to(value.device)
                value.add_(own, alpha=coefficients[self._row(place)][self._column[name]])
            merged[tensor] = value.requires_grad_()
        return merged

    def pull_back(self, entropy: Tensor, merged: Mapping[str, Tensor], gradient: Tensor) -> None:
        """Add the gradient of an entropy with respect to λ, through the merged tensors, in place."""
        pulls = torch.autograd.grad(entropy, list(merged.values()), allow_unused=True)
        for place, (tensor, pull) in enumerate(zip(merged, pulls, strict=True)):
            if pull is not None:
                for name in self._changed_by[tensor]:
                    own = self._vectors[name][tensor].to(pull.device)
                    gradient[self._row(place), self._column[name]] += (pull * own).sum().cpu()

    def clip(self) -> None:
        """Bring λ into [0, 1]."""
        with torch.no_grad():
            self.values.clamp_(0.0, 1.0)

    def by_expert(self) -> dict[str, dict[str, float]]:
        """Return λ by expert and tensor."""
        coefficients = self.values.tolist()
        learnt: dict[str, dict[str, float]] = {name: {} for name in self._vectors}
        for place, (tensor, experts) in enumerate(self._changed_by.items()):
            for name in experts:
                learnt[name][tensor] = coefficients[self._row(place)][self._column[name]]
        return learnt

    def _row(self, place: int) -> int:
        return place if self._by_tensor else 0


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
            f"merge: 'adamerging' needs a task with a distribution over answers (classification, ordinal, multilabel, "
            f"or regression with format: prompt), found {', '.join(rows) or 'none'}; take another operator, such as "
            "'task_arithmetic'."
        )
    return heard
