"""Write docs/cli.md from the command line's own definitions: `python scripts/cli_page.py`."""

import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from typer.main import get_command

from equipoise.cli import app

PAGE = Path(__file__).resolve().parent.parent / "docs" / "cli.md"
_WORDS = {int: "NUMBER", float: "NUMBER", Path: "PATH"}
HEAD = """# The commands

Made from the commands' own definitions by `python scripts/cli_page.py`; `equipoise COMMAND --help` shows the same.

Exit codes: 0 done, 1 failed, 2 wrong usage.
"""


def make_page() -> str:
    """Return the page: a section per command, with its arguments and options."""
    group = get_command(app)
    commands = {name: command for name, command in group.commands.items() if not command.hidden}  # type: ignore[attr-defined]
    links = " · ".join(f"[{name}](#equipoise-{name})" for name in commands)
    return "\n".join([HEAD, f"{links}\n", *(_section(name, command) for name, command in commands.items())])


def _section(name: str, command: Any) -> str:
    shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    words = [_usage(parameter) for parameter in shown if parameter.param_type_name == "argument"]
    usage = " ".join(["equipoise", name, *words, "[OPTIONS]"])
    lines = [f"## equipoise {name}\n", f"{_prose(command.help)}\n", f"```\n{usage}\n```\n"]
    rows = [_row(parameter) for parameter in shown if parameter.name != "help"]
    if rows:
        lines += ["| argument or option | what it is |", "|---|---|", *rows, ""]
    return "\n".join(lines)


def _usage(parameter: Any) -> str:
    word = (parameter.metavar or parameter.name.upper()).strip("[]")
    return word if parameter.required else f"[{word}]"


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = f"`{_usage(parameter)}`"
    else:
        names = [*parameter.opts, *parameter.secondary_opts]
        value = "" if parameter.is_flag else f" {_value(parameter)}"
        name = ", ".join(f"`{option}`" for option in names[:-1]) + (", " if names[1:] else "") + f"`{names[-1]}{value}`"
    help_ = _cell(getattr(parameter, "help", None) or "")
    shown = getattr(parameter, "default", None)
    if parameter.show_default and not callable(shown) and shown not in (None, "", False, True, [], ()):
        shown = ", ".join(map(str, shown)) if isinstance(shown, list | tuple) else shown
        help_ = f"{help_} Default: `{shown}`.".strip()
    return f"| {name.replace('|', chr(92) + '|')} | {help_} |"


def _value(parameter: Any) -> str:
    if parameter.metavar:
        return str(parameter.metavar)
    annotation = parameter.type_descriptor.annotation
    if get_origin(annotation) is Literal:
        return "|".join(map(str, get_args(annotation)))
    return _WORDS.get(annotation, "TEXT")


def _prose(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", (text or "").strip()))


def _cell(text: str) -> str:
    return " ".join(text.replace("|", r"\|").split()).replace("  [required]", "")


if __name__ == "__main__":
    PAGE.write_text(make_page(), encoding="utf-8")
