"""What every merge operator shares."""

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from equipoise.errors import ModelError, UsageError, did_you_mean

from .averaging import weighted_mean, weighted_sum
from .seeding import derive_seed

TaskVector = Mapping[str, Tensor]
"""What an expert learnt: τ = θ_expert − θ_base for each tensor that differs, by the tensor's name, in float32."""

Cache = dict[tuple[str, ...], Any]
"""What `MergeOperator.precompute` returned, by tensor and experts."""


_NONE = torch.empty(0)


@dataclass(frozen=True)
class Reuse:
    """What a search over weights computes once for all its merges by one operator of the same task vectors.

    The results are the same without, bit for bit.

    Args:
        global_stats: what `MergeOperator.global_stats` returned for all these vectors; computed if None, or if some
            weight is 0.
        cache: a dict, empty at first, that keeps what `MergeOperator.precompute` returns. It has an entry for each
            tensor and set of experts with weights other than 0, up to about as large as the experts' tensors; clear it
            where it grows too large. If None, nothing is kept.
    """

    global_stats: Mapping[str, float] | None = None
    cache: Cache | None = None


@dataclass(frozen=True)
class TensorGroup:
    """One tensor of all experts, and what there is to merge it by.

    Args:
        name: the tensor's name.
        vectors: τ_i of each expert by its name, one shape, float32; zeros where an expert did not change it. At least
            one; all have weights other than 0.
        weights: the weight of each expert.
        base: the base's own tensor, float32.
        statistics: of each expert, where the operator needs some.
        global_stats: what `global_stats` returned.
        seed: for random draws; another one for each tensor.
        precomputed: what `precompute` returned; not to be written to.
    """

    name: str
    vectors: Mapping[str, Tensor]
    weights: Mapping[str, float]
    base: Tensor
    statistics: Mapping[str, Tensor]
    global_stats: Mapping[str, float]
    seed: int
    precomputed: Any = None


class MergeOperator(ABC):
    """Makes one task vector of several, tensor by tensor.

    Experts are fine-tuned from one base θ₀; each is given by its task vector τ_i. An operator is made with its options
    and keeps nothing between merges. Whoever calls it adds the result to the base.

    A subclass says what it is by the attributes below and writes `merge_tensor`; where it has to look at whole task
    vectors first also `global_stats`, and where much of its work does not depend on the weights also `precompute`.
    `equipoise.testing.check_merge_operator` checks the rest of the contract.
    """

    name: ClassVar[str]
    """What the command line calls it."""
    summary: ClassVar[str]
    """What it does, in a sentence."""
    paper: ClassVar[str] = ""
    """Its source: authors, year, arXiv id."""
    statistics: ClassVar[str] = ""
    """What it needs to know of each expert's data: "inputs" (Σ xxᵀ, in × in, for the out × in weight of each linear
    layer), "fisher" (the squared gradient of each number), or nothing. Tensors without statistics are averaged."""
    normalized: ClassVar[bool] = False
    """Whether only the ratios of the weights matter. Else twice the weights give twice the merged vector, and a weight
    may be negative."""
    lossless: ClassVar[bool] = True
    """Whether one expert with weight 1 is merged into itself; not so where a method trims, drops or flattens."""
    random: bool = False
    """Whether it draws random numbers."""
    matrices_only: ClassVar[bool] = False
    """Whether it is defined for the weights of linear layers only; other tensors go to `merge_other`."""
    most_experts: ClassVar[int | None] = None
    """How many experts it can merge at most."""
    default_weight: ClassVar[float] = 1.0
    """The weight of each expert where none are given, unless the weights are normalized."""

    @classmethod
    def needs(cls) -> str:
        """Say in a few words what it needs beside experts of one base; "" where that is all."""
        needs = ["the experts' training rows (`--data`)"] if cls.statistics else []
        return ", ".join(needs + ([] if cls.most_experts is None else [f"{cls.most_experts} experts at most"]))

    def default_weights(self, experts: int) -> list[float]:
        """Return the weights where none are given: 1 / experts if normalized, else `default_weight` for each."""
        return [1 / experts if self.normalized else self.default_weight] * experts

    def global_stats(
        self, vectors: Mapping[str, TaskVector], linear: Collection[str] | None = None
    ) -> dict[str, float]:
        """Return one number for each expert that only all its tensors together tell, such as a norm.

        It does not depend on the weights: a search over weights computes it once and gives it to every `merge`.

        Args:
            vectors: τ_i of each expert by its name; those with weights other than 0.
            linear: the names of the weights of linear layers; None: of all 2-d tensors.
        """
        return {}

    def coefficients(self, weights: Mapping[str, float], global_stats: Mapping[str, float]) -> dict[str, float] | None:
        """Return c where every merged tensor is Σ c_i τ_i; None where merging is anything else.

        Args:
            weights: the weight of each expert.
            global_stats: what `global_stats` returned.
        """
        return None

    def precompute(self, vectors: Mapping[str, Tensor]) -> Any:
        """Do what does not depend on the weights for one tensor, such as its decompositions.

        A search over weights keeps it: see the cache of `merge`. By default there is nothing to do.

        Args:
            vectors: those of a `TensorGroup`.

        Returns:
            What `merge_tensor` finds in `TensorGroup.precomputed`; not asked for where `merge_other` merges.
        """
        return None

    @abstractmethod
    def merge_tensor(self, group: TensorGroup) -> Tensor:
        """Merge one tensor.

        Returns:
            The merged task vector, of the same shape, float32, in memory of its own.
        """

    def merge_other(self, group: TensorGroup) -> Tensor:
        """Merge a tensor that the method is not made for: the mean.

        It is Σ w_i τ_i / Σ w_i where weights are normalized, else Σ w_i τ_i / n over the n experts.
        """
        if self.normalized:
            return weighted_mean(group.vectors, group.weights)
        return weighted_sum(group.vectors, group.weights) / len(group.vectors)

    def merge(
        self,
        vectors: Mapping[str, TaskVector],
        weights: Mapping[str, float],
        base: Mapping[str, Tensor],
        statistics: Mapping[str, Mapping[str, Tensor]] | None = None,
        seed: int = 0,
        *,
        linear: Collection[str] | None = None,
        reuse: Reuse = Reuse(),
    ) -> Iterator[tuple[str, Tensor]]:
        """Merge all tensors, one after the other, so that one merged tensor at a time is in memory.

        The order of the experts changes nothing, not even the last bit; an expert with weight 0 is left out. Random
        draws depend on the seed, the tensor's name and the expert's name; torch's own random state is left alone.

        Args:
            vectors: τ_i of each expert by its name. A tensor that an expert lacks counts as zeros.
            weights: the weight of each expert.
            base: the base's tensors, at least those that some expert changed; on the vectors' device or another.
            statistics: by expert and tensor, if the operator needs some.
            seed: of random draws.
            linear: the names of the weights of linear layers (out × in), for methods that are made for these; None:
                all 2-d tensors. Embeddings are best left out.
            reuse: what is known from an earlier merge of these vectors.

        Returns:
            Pairs of the tensor's name and its merged task vector, float32, in the base's order.

        Raises:
            UsageError: If the weights do not fit the experts or the operator, there are too many experts, or
                statistics are missing.
            ModelError: If a tensor is not in the base, or has another shape there or in the statistics.
        """
        self.check_weights(vectors, weights)
        if self.statistics and statistics is None:
            raise UsageError(
                f"merge: '{self.name}' needs the statistics '{self.statistics}' of each expert's data, and none are "
                f"given. Collect them first, or take an operator that needs none, such as 'ties'."
            )
        check_shapes(vectors, base)
        chosen = {expert: vectors[expert] for expert in sorted(vectors) if weights[expert]}
        global_stats = reuse.global_stats
        if global_stats is None or len(chosen) < len(vectors):
            global_stats = self.global_stats(chosen, linear)
        empty = TensorGroup(
            "", {}, {expert: float(weights[expert]) for expert in chosen}, _NONE, {}, global_stats, seed
        )
        return self._merge(empty, vectors, base, statistics or {}, linear, reuse.cache)

    def _merge(
        self,
        empty: TensorGroup,
        vectors: Mapping[str, TaskVector],
        base: Mapping[str, Tensor],
        statistics: Mapping[str, Mapping[str, Tensor]],
        linear: Collection[str] | None,
        cache: Cache | None,
    ) -> Iterator[tuple[str, Tensor]]:
        """Merge tensor by tensor; `empty` has what all groups share."""
        for tensor, values in base.items():
            known_by = [vector[tensor] for vector in vectors.values() if tensor in vector]
            if not known_by:
                continue
            # Vectors may lie on the CPU while the base computes elsewhere: they are merged where they lie.
            values = values.detach().to(known_by[0].device).float()
            if not empty.weights:
                yield tensor, torch.zeros_like(values)
                continue
            own = {
                expert: vectors[expert][tensor].detach().float()
                if tensor in vectors[expert]
                else torch.zeros_like(values)
                for expert in empty.weights
            }
            group = replace(
                empty,
                name=tensor,
                vectors=own,
                base=values,
                statistics=self._statistics_of(tensor, values, own, statistics),
                seed=derive_seed(empty.seed, tensor),
            )
            yield tensor, self._merge_group(group, linear, cache)

    def _merge_group(self, group: TensorGroup, linear: Collection[str] | None, cache: Cache | None) -> Tensor:
        unfit = self.matrices_only and not is_matrix(group.name, group.base, linear)
        if unfit or (self.statistics and not group.statistics):
            return self.merge_other(group)
        if cache is None:
            return self.merge_tensor(replace(group, precomputed=self.precompute(group.vectors)))
        key = (group.name, *group.vectors)
        if key not in cache:
            cache[key] = self.precompute(group.vectors)
        return self.merge_tensor(replace(group, precomputed=cache[key]))

    def check_weights(self, experts: Collection[str], weights: Mapping[str, float]) -> None:
        """Make sure that weights fit experts and operator, before anything is read.

        Raises:
            UsageError: If they do not.
        """
        if not experts:
            raise UsageError(f"merge: '{self.name}' has no experts to merge. Name one at least.")
        for expert in weights:
            if expert not in experts:
                raise UsageError(f"merge: there is a weight for '{expert}'. {did_you_mean(expert, experts)}")
        missing = [expert for expert in experts if expert not in weights]
        if missing:
            raise UsageError(f"merge: there is no weight for {', '.join(map(repr, missing))}; every expert needs one.")
        lowest = 0.0 if self.normalized else -math.inf
        for expert, weight in weights.items():
            if not math.isfinite(weight) or weight < lowest:
                expected = "a number, 0 or more" if self.normalized else "a finite number"
                raise UsageError(f"merge: the weight of '{expert}' is {weight}; '{self.name}' expects {expected}.")
        merged = sum(weight != 0 for weight in weights.values())
        if self.normalized and not merged:
            raise UsageError(f"merge: all weights are 0; '{self.name}' expects one above 0 at least.")
        if self.most_experts is not None and merged > self.most_experts:
            raise UsageError(
                f"merge: '{self.name}' merges {self.most_experts} experts at most, and there are {merged}. Take fewer, "
                f"or another operator, such as 'linear'."
            )

    def _statistics_of(
        self,
        tensor: str,
        values: Tensor,
        experts: Collection[str],
        statistics: Mapping[str, Mapping[str, Tensor]],
    ) -> dict[str, Tensor]:
        """Return a tensor's statistics of all experts, or none at all."""
        if not self.statistics:
            return {}
        found = {
            expert: statistics[expert][tensor].detach().float()
            for expert in experts
            if tensor in statistics.get(expert, {})
        }
        lacking = [expert for expert in experts if expert not in found]
        if found and lacking:
            raise ModelError(
                f"merge: the statistics of {', '.join(map(repr, lacking))} lack the tensor '{tensor}', which those of "
                f"'{next(iter(found))}' have. Collect all of them from the same base."
            )
        expected = tuple(values.shape[-1:] * 2) if self.statistics == "inputs" else tuple(values.shape)
        for expert, one in found.items():
            if tuple(one.shape) != expected:
                raise ModelError(
                    f"merge: the statistics '{self.statistics}' of '{expert}' for the tensor '{tensor}' have shape "
                    f"{tuple(one.shape)}; expected {expected}. Collect them from the same base."
                )
        return found


def is_matrix(tensor: str, values: Tensor, linear: Collection[str] | None) -> bool:
    """Whether a tensor is the weight of a linear layer: it is 2-d, and named so if names are given."""
    return values.dim() == 2 and (linear is None or tensor in linear)


def check_shapes(vectors: Mapping[str, TaskVector], base: Mapping[str, Tensor]) -> None:
    """Make sure that task vectors fit a base.

    Raises:
        ModelError: a tensor is not in the base, or has another shape there.
    """
    for expert, vector in vectors.items():
        for tensor, values in vector.items():
            if tensor not in base:
                raise ModelError(
                    f"merge: expert '{expert}' has the tensor '{tensor}', the base has none of this name. "
                    f"{did_you_mean(tensor, base)} Merge experts of one base only."
                )
            if values.shape != base[tensor].shape:
                raise ModelError(
                    f"merge: the tensor '{tensor}' has shape {tuple(values.shape)} in expert '{expert}' and "
                    f"{tuple(base[tensor].shape)} in the base. Merge experts of one base only."
                )
