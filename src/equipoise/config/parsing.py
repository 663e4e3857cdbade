"""YAML that cannot hang, fill the memory, or run anything: its size, depth and tags are bounded."""

from typing import Any

import yaml

from equipoise.errors import UsageError

_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_VALUES = 50_000
"""Values of a document, at most; what an alias stands for counts again each time."""
_LEVELS = 50
"""Levels of lists and keys inside each other, at most."""
_DIGITS = 60
"""Characters of a number or date, at most."""


def parse_yaml(text: str, where: str) -> Any:
    """Return what a YAML document holds: keys, lists, texts, numbers, dates, true and false, nothing.

    Keys are text as it stands (`1`, `yes`); a key that is given twice is an error.

    Args:
        text: the document.
        where: what messages call it.

    Raises:
        UsageError: it is no YAML, or too large: more than 50,000 values or 50 levels, aliases filled in.
    """
    try:
        return yaml.load(text, Loader=_StrictLoader)
    except (AttributeError, KeyError, TypeError) as error:  # how values end that do not fit the tag before them
        raise UsageError(f"{where}: not valid YAML: a value does not fit its tag (!!…): {error}.") from None
    except Exception as error:  # broken values raise ValueError, RecursionError and more, not only YAMLError
        reason = "nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())
        hint = " Put values with ${…} in quotes." if "${" in text else ""
        raise UsageError(f"{where}: not valid YAML: {reason}.{hint}") from None


class _StrictLoader(yaml.SafeLoader):
    """Composes a document while it counts: values with those that aliases stand for, and levels."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._count = self._level = self._deepest = 0
        self._sizes: dict[int, tuple[int, int]] = {}

    def compose_node(self, parent: Any, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            node = super().compose_node(parent, index)
            if id(node) not in self._sizes:
                raise _mistake(event, f"an alias (*{event.anchor}) stands inside its own anchor (&{event.anchor})")
            count, levels = self._sizes[id(node)]
            self._check(event, self._count + count, self._level + levels)
            return node
        before, outside = self._count, self._deepest
        self._level += 1
        self._deepest = self._level
        self._check(event, self._count + 1, self._level)
        node = super().compose_node(parent, index)
        self._level -= 1
        self._sizes[id(node)] = self._count - before, self._deepest - self._level
        self._deepest = max(outside, self._deepest)
        return node

    def _check(self, event: Any, count: int, deepest: int) -> None:
        if count > _VALUES:
            raise _mistake(event, f"more than {_VALUES:,} values, those counted that aliases (*) stand for")
        if deepest > _LEVELS:
            raise _mistake(event, f"nested too deeply, more than {_LEVELS} levels")
        self._count, self._deepest = count, max(self._deepest, deepest)

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        node = super().compose_scalar_node(anchor)
        if node.tag in (f"{_TAG}int", f"{_TAG}float", f"{_TAG}timestamp") and len(node.value) > _DIGITS:
            raise _mistake(node, f"a number of {len(node.value):,} digits, expected {_DIGITS} at most")
        try:
            # JSON writes 😀 as two halves ("\ud83d\ude00"), which YAML leaves apart.
            node.value = node.value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise _mistake(node, f"half a character in {node.value!r}") from None
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # Here and not where mappings are constructed: by then, merge keys (<<) have been replaced.
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            key.tag = f"{_TAG}str"
            if key.value in seen:
                raise yaml.YAMLError(f"line {key.start_mark.line + 1}: key '{key.value}' is given twice")
            seen.add(key.value)
        return node

    def _refuse(self, node: yaml.Node) -> None:
        tag = node.tag.replace(_TAG, "!!")
        raise _mistake(node, f"found the tag {tag}, expected plain keys, lists, texts and numbers")


for _name in ("binary", "omap", "pairs", "set"):
    _StrictLoader.add_constructor(f"{_TAG}{_name}", _StrictLoader._refuse)
_StrictLoader.add_constructor(None, _StrictLoader._refuse)


def _mistake(place: Any, message: str) -> yaml.YAMLError:
    return yaml.YAMLError(f"{message} (line {place.start_mark.line + 1})")
