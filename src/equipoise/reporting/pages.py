"""What the pages share: how templates are filled in, and how numbers are written."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.errors import shorten
from equipoise.files import write_text

if TYPE_CHECKING:
    from jinja2 import Environment

_LONGEST_NAME = 40
"""Characters of a class that stands at the head of a column, at most."""


def write_page(folder: str | Path, name: str, **values: Any) -> Path:
    """Fill in the template of a page, and write it into a folder.

    Args:
        folder: the folder.
        name: the page's name: `NAME.html`, made from `NAME.html.j2`.
        values: what the template reads.

    Returns:
        The path of the page.
    """
    path = Path(folder) / f"{name}.html"
    write_text(path, render_page(name, **values))
    return path


def render_page(name: str, **values: Any) -> str:
    """Fill in the template of a page.

    Args:
        name: the page's name; the template is `NAME.html.j2`.
        values: what it reads.
    """
    return _make_environment().get_template(f"{name}.html.j2").render(values)


def _make_environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("equipoise.reporting", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["thousands"] = thousands
    environment.filters["short"] = partial(shorten, at_most=_LONGEST_NAME)
    return environment


def thousands(number: int | None) -> str:
    """Write a whole number with commas, and one that is not there as a dash."""
    return "–" if number is None else f"{number:,}"
