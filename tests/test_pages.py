"""The pages: every command in them exists, whole run files are valid, and the site builds."""

import re
import shlex
import subprocess
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from equipoise.cli import app
from equipoise.config import make_config

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = get_command(app).commands
FORMER = {("merge", "--set")}
"""Options that are hidden, and named in pages that say what they were."""


def read_blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.S | re.M)


def find_lines():
    """Every line of a block that is a command of ours, without its comment."""
    for page in PAGES:
        for block in [*read_blocks(page, ""), *read_blocks(page, "console"), *read_blocks(page, "bash")]:
            for line in block.replace("\\\n", " ").splitlines():
                command = line.strip().removeprefix("$ ").removeprefix(".venv/bin/")
                if command.startswith("equipoise ") and "[OPTIONS]" not in command:
                    yield page.name, re.sub(r"\s{2,}#.*$", "", command)


LINES = list(find_lines())


def check(line):
    """Say what is wrong with a command line: its command, or an option that the command does not have."""
    words = shlex.split(re.split(r"\s(?:\||>|&)(?:\s|$)", line)[0], comments=True)[1:]
    if words == ["--help"] or words == ["--version"]:
        return None
    command = COMMANDS.get(words[0])
    if command is None or command.hidden:
        return f"no command {words[0]}"
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}
    given = {word.partition("=")[0].strip("[]") for word in words if re.match(r"\[?-{1,2}[a-z]", word)}
    unknown = {name for name in given if name not in known and (words[0], name) not in FORMER}
    return f"{words[0]}: {unknown}" if unknown else None


def test_what_is_wrong_is_seen():
    assert check("equipoise train run.yaml --set a=b -o x") == "train: {'-o'}"
    assert check("equipoise trains run.yaml") == "no command trains"
    assert check('equipoise predict runs/a "a text" --task b | head') is None


def test_every_command_line_of_the_pages_is_one():
    assert len(LINES) > 40
    wrong = [f"{page}: {line}: {said}" for page, line in LINES if (said := check(line))]
    assert not wrong, "\n".join(wrong)


def test_every_whole_run_file_of_the_pages_is_valid():
    whole = 0
    for page in PAGES:
        for block in read_blocks(page, "yaml"):
            values = yaml.safe_load(block)
            if isinstance(values, dict) and {"sources", "tasks"} <= values.keys() and page.name != "own_kind.md":
                make_config({"output": "runs/x", **values})
                whole += 1
    assert whole > 10


def test_the_page_of_commands_is_up_to_date():
    spec = spec_from_file_location("cli_page", ROOT / "scripts" / "cli_page.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == module.make_page(), "python scripts/cli_page.py"


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.skipif(find_spec("mkdocs") is None or find_spec("mkdocstrings") is None, reason="mkdocs is not installed")
def test_the_site_builds(tmp_path):
    """Strictly: every page is in the navigation, and every link leads somewhere. Nothing is fetched by a page."""
    line = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr
    for page in tmp_path.rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        assert not re.findall(r'<(?:script|img|iframe)[^>]*src="(?:https?:)?//[^"]*"', html), page.name
        assert not re.findall(r'<link[^>]*rel="(?:stylesheet|preconnect)"[^>]*href="(?:https?:)?//', html), page.name
