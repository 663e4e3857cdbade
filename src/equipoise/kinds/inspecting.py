"""What a task can say of its parsed labels before anything is trained: what is remarkable, and how splits differ."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from .remarks import Remark, compare_shares


class Inspecting(ABC):
    """The part of a task that looks at parsed labels; `equipoise check` asks it."""

    has_one_class: ClassVar[bool] = False
    """Whether every label is exactly one class."""

    @abstractmethod
    def names(self, label: Any) -> tuple[str, ...]:
        """Return the names of classes in a parsed label, none for kinds without classes."""

    def classes_of(self, label: Any) -> tuple[str, ...]:
        """Return the classes that a parsed label counts for, once those of the task are known."""
        return self.names(label)

    def words_of(self, label: Any) -> tuple[str, ...]:
        """Return how a text that gives a parsed label away would write it; nothing where that means nothing."""
        return self.classes_of(label)

    def contradicts(self, one: Any, other: Any) -> bool:
        """Whether two parsed labels of the same text say different things."""
        return bool(one != other)

    def inspect(self, labels: Sequence[Any]) -> list[Remark]:
        """Return what is remarkable about parsed labels, beside how many there are of each class."""
        return []

    def compare_splits(self, one: Sequence[Any], other: Sequence[Any]) -> str:
        """Say how the parsed labels of two splits differ in distribution; "" where they do not."""
        return compare_shares(one, other, self.classes_of)
