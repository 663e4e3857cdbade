"""What is found out about a tokenizer once: to find it out takes longer than to encode a text."""

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_Fact = TypeVar("_Fact")

_FACTS: "WeakKeyDictionary[PreTrainedTokenizerBase, dict[tuple[Hashable, ...], Any]]" = WeakKeyDictionary()


def find_once(
    tokenizer: "PreTrainedTokenizerBase",
    find: "Callable[..., _Fact]",
    *options: Hashable,
) -> _Fact:
    """Return `find(tokenizer, *options)`; found anew only where the tokenizer has more tokens than before.

    Args:
        tokenizer: the tokenizer.
        find: finds the fact, which must not refer to the tokenizer.
        options: further arguments.
    """
    facts = _FACTS.setdefault(tokenizer, {})
    key = (find, len(tokenizer), *options)
    if key not in facts:
        facts[key] = find(tokenizer, *options)
    return facts[key]
