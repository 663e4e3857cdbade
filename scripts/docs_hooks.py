"""What `mkdocs build` does besides: README, CHANGELOG and CONTRIBUTING become pages, and links fit the site.

On GitHub the same pages are read where they lie, so their links are written for that.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
PAGES = {"index.md": "README.md", "changes.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
"""Pages of the site that lie outside docs/, by their names there."""


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that lie outside docs/."""
    for name, source in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=_from_root(text)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Take out links to files that are no pages, such as examples/, but keep their words."""
    for name, source in PAGES.items():
        markdown = markdown.replace(f"](../{source}", f"]({name}")
    markdown = re.sub(r"\[([^\]]*)\]\(\.\./[^)]*\)", r"\1", markdown)
    return re.sub(r"(?m)^\|.*$", _unescape_pipes, markdown)


def _unescape_pipes(row: re.Match[str]) -> str:
    """In code in a table GitHub wants pipes escaped; Python-Markdown shows the backslash."""
    return re.sub(r"`[^`]*`", lambda code: code[0].replace(r"\|", "|"), row[0])


def _from_root(text: str) -> str:
    """Rewrite the links of a page that lies beside docs/."""
    text = text.replace("](docs/", "](")
    for name, source in PAGES.items():
        text = text.replace(f"]({source}", f"]({name}")
    return re.sub(r"\[([^\]]*)\]\((?:LICENSE|examples)[^)]*\)", r"\1", text)
