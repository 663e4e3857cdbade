"""What the pages share: how templates are filled in, and how numbers are written."""

from jinja2 import Environment, PackageLoader, StrictUndefined


def make_environment() -> Environment:
    """Return the environment in which the pages' templates are filled in."""
    environment = Environment(
        loader=PackageLoader("equipoise.reporting", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["thousands"] = thousands
    return environment


def thousands(number: int | None) -> str:
    """Write a whole number with commas, and one that is not there as a dash."""
    return "–" if number is None else f"{number:,}"
