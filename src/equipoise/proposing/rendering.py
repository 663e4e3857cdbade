"""The run file of a proposal: YAML with a short comment a line."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from equipoise.errors import shorten

from .yaml_text import to_key, to_yaml

if TYPE_CHECKING:
    from .proposal import Alternative, Proposal, ProposedSource, ProposedTask

_LONGEST_COMMENT = 200
_WIDEST = 44
"""Characters of a line up to which its comment is aligned with others."""


def render(proposal: "Proposal") -> str:
    """Return the run file. Whatever stands as a comment becomes valid when its `# ` is removed."""
    lines = [*_head(proposal)]
    for setting in proposal.settings:
        if setting.key not in ("train", "output"):
            lines.append(_line("", setting.key, setting.value, setting.why, setting.active))
    lines.append("sources:")
    for source in proposal.sources:
        lines += _source(source)
    lines.append("tasks:")
    for task in proposal.tasks:
        lines += _task(task)
    for one in proposal.doubtful:
        lines.append(_alternative("  ", one))
    for setting in proposal.settings:
        if setting.key in ("train", "output"):
            lines.append(_line("", setting.key, setting.value, setting.why, setting.active))
    return "\n".join(lines) + "\n"


def _head(proposal: "Proposal") -> Iterator[str]:
    names = [name for source in proposal.sources for name in source.inputs]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    runs = "It runs when what follows is mended." if proposal.fault else "It runs as it is."
    yield _comment(f"Made by `equipoise init` from {', '.join(names[:3])}{more}. {runs}")
    for line in proposal.fault.splitlines():
        yield _comment(f"Mend: {line}")
    yield _comment(
        "What is doubtful is a comment: remove its # to take it, and what it replaces. All keys: equipoise list keys"
    )
    for note in proposal.notes:
        yield _comment(f"Note: {note}")


def _source(source: "ProposedSource") -> Iterator[str]:
    yield f"  {to_key(source.name)}:"
    for key, value in source.keys.items():
        yield _line("    ", key, value, source.why.get(key, ""))
    for one in source.alternatives:
        for key, value in one.keys.items():
            yield _line("    ", key, value, one.why, active=False)


def _task(task: "ProposedTask") -> Iterator[str]:
    yield f"  {to_key(task.name)}:"
    for key, value in task.keys.items():
        yield _line("    ", key, value, task.why if key == "kind" else "")
    for one in task.alternatives:
        if one.name:
            yield _alternative("  ", one)
        else:
            for key, value in one.keys.items():
                yield _line("    ", key, value, one.why, active=False)


def _alternative(indent: str, one: "Alternative") -> str:
    return _line(indent, one.name, one.keys, one.why, active=False)


def _line(indent: str, key: str, value: Any, why: str = "", active: bool = True) -> str:
    written = f"{indent}{'' if active else '# '}{to_key(key)}: {to_yaml(value)}"
    if not why:
        return written
    return f"{written.ljust(_WIDEST)}  {_comment(why)}"


def _comment(text: str) -> str:
    return f"# {shorten(text, _LONGEST_COMMENT)}"
