"""The extras: packages that only some commands need, and the one message where they are missing."""

from importlib.util import find_spec

from equipoise.errors import UsageError


def check_extra(extra: str, packages: tuple[str, ...], user: str) -> None:
    """Refuse what needs the packages of an extra, where they are not installed.

    Args:
        extra: the extra's name in pyproject.toml, such as "search".
        packages: the names under which its packages are imported.
        user: what needs them, for the message.

    Raises:
        UsageError: one is missing, with the command that installs it.

    Example:
        >>> from equipoise.extras import check_extra
        >>> check_extra("search", ("json",), "the search")  # nothing is missing
    """
    if missing := [package for package in packages if find_spec(package) is None]:
        verb = "is" if len(missing) == 1 else "are"
        raise UsageError(
            f"{user}: {' and '.join(missing)}, which it needs, {verb} not installed. Install with: "
            f'pip install "equipoise[{extra}]"'
        )
