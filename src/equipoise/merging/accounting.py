"""What became of every tensor of every expert."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Fate(StrEnum):
    """What a merge did with a tensor of an expert."""

    MERGED = "merged"
    """Its difference from the base went through the operator."""
    UNCHANGED = "unchanged"
    """It is the base's own, number by number, so that there is nothing to merge."""
    KEPT = "kept"
    """It lies in the result as it is."""
    AVERAGED = "averaged"
    """The mean of all experts' lies in the result."""
    LEFT_OUT = "left out"
    """Its expert has the weight 0."""
    TIED = "tied"
    """A second copy of a tensor that is accounted for."""
    COMPUTED = "computed"
    """The architecture computes it, such as a table of positions."""


@dataclass(frozen=True)
class TensorFate:
    """What became of one tensor.

    Args:
        expert: the expert's name.
        file: the file it lies in, relative to the expert's folder.
        name: its name in that file.
        fate: what became of it.
        place: the tensor of the result it is in: of the backbone, of a task, or of `heads/EXPERT`; "" where in none.
    """

    expert: str
    file: str
    name: str
    fate: Fate
    place: str


def summarize(tensors: Iterable[TensorFate]) -> list[str]:
    """Say what became of them, one line a fate: "merged: 12 tensors of irony, 12 of polarity"."""
    counts: dict[Fate, dict[str, int]] = {}
    for one in tensors:
        by_expert = counts.setdefault(one.fate, {})
        by_expert[one.expert] = by_expert.get(one.expert, 0) + 1
    lines = []
    for fate in Fate:
        if own := counts.get(fate):
            (first, count), *others = own.items()
            unit = "tensor" if count == 1 else "tensors"
            listed = ", ".join([f"{count} {unit} of {first}", *(f"{number} of {name}" for name, number in others)])
            lines.append(f"{fate}: {listed}")
    return lines


def as_json(tensors: Sequence[TensorFate]) -> dict[str, dict[str, dict[str, str]]]:
    """By expert and fate: each tensor as FILE:NAME, and its place in the result."""
    listed: dict[str, dict[str, dict[str, str]]] = {}
    for one in tensors:
        listed.setdefault(one.expert, {}).setdefault(one.fate, {})[f"{one.file}:{one.name}"] = one.place
    return listed


Places = Mapping[str, tuple[Fate, str]]
"""By a tensor's name what became of it, and where it is."""
