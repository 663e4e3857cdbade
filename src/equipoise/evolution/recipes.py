"""What a candidate is: an operator, its options, and coefficients, for the whole model or for each block of layers."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from equipoise.merging import Cache, Reuse, TaskVector, make_merge_operator
from equipoise.reporting import Parameter

_GLOBAL_STATS = ("global_stats",)
"""Where a cache keeps an operator's global statistics; the key of a tensor names experts, too."""
_LAYER = re.compile(r"\.(\d+)\.")


@dataclass(frozen=True)
class Recipe:
    """How several task vectors become one.

    Args:
        operator: the operator's name.
        options: its options.
        weights: the coefficient of each vector by its name, for each block of layers; one for all where there is one.
        seed: of random draws.
    """

    operator: str
    options: Mapping[str, Any]
    weights: tuple[Mapping[str, float], ...]
    seed: int = 0

    def merge(
        self,
        vectors: Mapping[str, TaskVector],
        base: Mapping[str, Tensor],
        linear: Collection[str],
        *,
        cache: Cache | None = None,
        statistics: Mapping[str, Mapping[str, Tensor]] | None = None,
    ) -> dict[str, Tensor]:
        """Merge task vectors.

        Args:
            vectors: the task vectors by name.
            base: the base's tensors.
            linear: the names of the weights of linear layers.
            cache: a dict, empty at first, that keeps what does not depend on the weights for further recipes of the
                same operator and options (see `MergeOperator.merge`).
            statistics: see `MergeOperator.merge`.

        Returns:
            The merged task vector; tensors that no vector has are left out.
        """
        operator = make_merge_operator(self.operator, **self.options)
        stats = None if cache is None else cache.get(_GLOBAL_STATS)
        if stats is None:
            stats = operator.global_stats(vectors, linear)
        if cache is not None:
            cache[_GLOBAL_STATS] = stats
        reuse = Reuse(stats, cache)
        changed = [name for name in base if any(name in vector for vector in vectors.values())]
        places = blocks_of(changed, len(self.weights))
        merged: dict[str, Tensor] = {}
        for block, weights in enumerate(self.weights):
            own = {name: base[name] for name in changed if places[name] == block}
            parts = {
                name: {key: tensor for key, tensor in vector.items() if key in own} for name, vector in vectors.items()
            }
            found = operator.merge(parts, weights, own, statistics, seed=self.seed, linear=linear, reuse=reuse)
            merged.update(found)
        return merged

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return asdict(self)


def blocks_of(tensors: Iterable[str], blocks: int) -> dict[str, int]:
    """Say in which block of layers each tensor lies.

    Layers are shared out evenly, those alone that have a tensor here; what stands before the first belongs to the first
    block, what comes after the last to the last.

    Args:
        tensors: the names of the tensors that experts changed, in the model's order.
        blocks: how many blocks there are.
    """
    names = list(tensors)
    layers = [int(found[1]) if (found := _LAYER.search(name)) else None for name in names]
    place_of = {number: place for place, number in enumerate(sorted({one for one in layers if one is not None}))}
    block = 0
    places = {}
    last = max((index for index, number in enumerate(layers) if number is not None), default=-1)
    for index, (name, number) in enumerate(zip(names, layers, strict=True)):
        if number is not None:
            block = place_of[number] * blocks // len(place_of)
        elif index > last >= 0:
            block = blocks - 1
        places[name] = block
    return places


@dataclass(frozen=True)
class Space:
    """What a search may choose.

    Args:
        members: the names of the task vectors.
        operator: the operator's name.
        options: its fixed options.
        searched: the options that are searched, each with its range.
        blocks: how many blocks of layers have coefficients of their own.
        range: the lowest and the highest coefficient.
        seed: of random draws.
    """

    members: tuple[str, ...]
    operator: str
    options: Mapping[str, Any]
    searched: Mapping[str, tuple[float, float]]
    blocks: int
    range: tuple[float, float]
    seed: int

    @property
    def parameters(self) -> dict[str, tuple[float, float]]:
        """The range of each number that is searched."""
        coefficients = {self._key(name, block): self.range for block in range(self.blocks) for name in self.members}
        return {**coefficients, **{f"option:{name}": bounds for name, bounds in self.searched.items()}}

    def describe(self) -> list[Parameter]:
        """Say what each number that is searched stands for."""
        blocks = [None] if self.blocks == 1 else list(range(self.blocks))
        coefficients: list[Parameter] = [
            {"key": self._key(name, block or 0), "member": name, "block": block, "option": None}
            for block in blocks
            for name in self.members
        ]
        options: list[Parameter] = [
            {"key": f"option:{name}", "member": None, "block": None, "option": name} for name in self.searched
        ]
        return coefficients + options

    def recipe(self, numbers: Mapping[str, float]) -> Recipe:
        """Return what numbers within the ranges mean."""
        weights = tuple(
            {name: numbers[self._key(name, block)] for name in self.members} for block in range(self.blocks)
        )
        chosen = {name: numbers[f"option:{name}"] for name in self.searched}
        return Recipe(self.operator, {**self.options, **chosen}, weights, self.seed)

    def start(self, weights: Sequence[float]) -> dict[str, float]:
        """Return the numbers of a candidate with these coefficients in all blocks, brought into the ranges."""
        low, high = self.range
        numbers = {
            self._key(name, block): min(max(weight, low), high)
            for block in range(self.blocks)
            for name, weight in zip(self.members, weights, strict=True)
        }
        given = make_merge_operator(self.operator, **self.options)
        for name, (lowest, highest) in self.searched.items():
            value = getattr(given, name, None)
            inside = isinstance(value, int | float) and lowest <= value <= highest
            numbers[f"option:{name}"] = float(value) if inside else (lowest + highest) / 2  # type: ignore[arg-type]
        return numbers

    def _key(self, member: str, block: int) -> str:
        return member if self.blocks == 1 else f"{member}/{block}"
