"""The quads kind: opinions with the category of what they are about; term and words can be implicit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

from equipoise.keys import name_key

from ..labels import order_names, quote
from ..names import NameIndex, Vocabulary
from ..opinions import Opinion
from ..triplets.task import Triplets


@dataclass(frozen=True)
class Quads(Triplets):
    """Opinions as category, term, words of the opinion and polarity; an implicit term or opinion is null.

    Labels are lists such as `[{"category": "food", "term": "pizza", "opinion": null, "polarity": "positive"}]`: see
    docs/aspects.md.

    Args:
        categories: the categories in order; empty until `fit` finds them in the training rows.
    """

    kind: ClassVar[str] = "quads"
    metrics: ClassVar[tuple[str, ...]] = ("quad_f1", "triplet_f1", "pair_f1", "quad_text_f1")
    primary_metrics: ClassVar[tuple[str, ...]] = ("quad_f1", "triplet_f1", "quad_text_f1")
    item_metric: ClassVar[str] = "quad_text_f1"
    fields: ClassVar[tuple[str, ...]] = ("category", "term", "opinion", "polarity")
    template_fields: ClassVar[tuple[str, ...]] = (*Triplets.template_fields, "categories")
    example: ClassVar[str] = '[{"category": "food quality", "term": "pizza", "opinion": null, "polarity": "positive"}]'
    may_be_implicit: ClassVar[bool] = True

    categories: tuple[str, ...] = ()

    @property
    def category_names(self) -> tuple[str, ...]:
        """The categories in order."""
        return self.categories

    @property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        """The names that a column can hold."""
        return {"category": self.categories, **super().choices}

    def check_names(self, opinion: Opinion, expected: str) -> None:
        """Refuse polarities and categories that are not known; see `Triplets.check_names`."""
        super().check_names(opinion, expected)
        self._check(opinion.category, "category", self.categories, expected)

    @property
    def vocabularies(self) -> tuple[Vocabulary, ...]:
        """The polarities and the categories."""
        categories = Vocabulary("categories", "category", self.categories, _name_categories, _rename_categories)
        return (*super().vocabularies, categories)

    def label_contradiction(self, trained: Self) -> str:
        """Say whether polarities or categories are others than those of a trained model."""
        found, expected = ({name_key(name) for name in task.categories} for task in (self, trained))
        if found and found != expected:
            return f"categories: found {quote(self.categories)}, expected {quote(trained.categories)}"
        return super().label_contradiction(trained)

    def fit(self, labels: Sequence[Any]) -> Self:
        """Find polarities and categories in the training rows."""
        found = order_names({opinion.category for label in labels for opinion in label})
        return super().fit(labels).replace(categories=self.categories or found)

    def _canonical(self, opinions: Sequence[Opinion]) -> list[Opinion]:
        """Give polarities and categories the spelling of the classes."""
        return [
            opinion._replace(category=self.categories[self._category_number(opinion)])
            for opinion in super()._canonical(opinions)
        ]

    def _category_number(self, opinion: Opinion) -> int:
        return self._categories.find(opinion.category) or 0

    def find_problem(self) -> str:
        """Say what is wrong with a task read from a file that its types do not show."""
        if not self.categories or len(set(self.categories)) < len(self.categories):
            return f"categories: found {quote(self.categories)}, expected different names"
        return super().find_problem()

    @cached_property
    def _categories(self) -> NameIndex:
        return NameIndex(self.categories)


def _name_categories(label: Sequence[Opinion]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(opinion.category for opinion in label))


def _rename_categories(label: Sequence[Opinion], names: Mapping[str, str]) -> tuple[Opinion, ...]:
    return tuple(opinion._replace(category=names.get(opinion.category, opinion.category)) for opinion in label)
