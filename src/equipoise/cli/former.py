"""Commands that have another name now. They still work, with a note, and `--help` hides them."""

from equipoise.terminal import note

from .list_ import Markdown, Name, show_list


def keys(markdown: Markdown = False) -> None:
    """List the keys of the run file (now `equipoise list keys`)."""
    _show("keys", "", markdown)


def balancers(name: Name = "", markdown: Markdown = False) -> None:
    """List the balancers (now `equipoise list balancers`)."""
    _show("balancers", name, markdown)


def operators(name: Name = "", markdown: Markdown = False) -> None:
    """List the merge operators (now `equipoise list operators`)."""
    _show("operators", name, markdown)


def _show(what: str, name: str, markdown: bool) -> None:
    note(f"`equipoise {what}` is now `equipoise list {what}`.")
    show_list(what, name, markdown=markdown)
