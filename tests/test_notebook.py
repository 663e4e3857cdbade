"""What notebooks show: tables of HTML, and progress that changes in place."""

import sys
from types import ModuleType
from xml.etree import ElementTree

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from equipoise import progress
from equipoise.notebook import table_to_html
from equipoise.progress import Progress, hide_progress


def parsed(html):
    return ElementTree.fromstring(f"<div>{html.replace('<br>', '<br/>')}</div>")


def test_everything_in_a_table_is_escaped():
    table = Table(title="<script>alert(1)</script>", caption="a & b")
    table.add_column("<b>", justify="right")
    table.add_row(Text("<img src=x onerror=alert(1)>", style="bold"))
    table.add_row("two\nlines")
    html = table_to_html(table)
    root = parsed(html)
    tags = {"div", "table", "caption", "thead", "tbody", "tr", "th", "td", "b", "br", "p", "small"}
    assert {element.tag for element in root.iter()} <= tags
    assert "".join(root.itertext()).count("<") == 4
    assert root.find(".//td/b") is not None


class Screen:
    """Stands for IPython's display: remembers what each line of a cell shows."""

    def __init__(self):
        self.shown = []

    def module(self):
        package, display = ModuleType("IPython"), ModuleType("IPython.display")
        display.HTML = str
        display.display = lambda html, display_id: self
        package.display = display
        return {"IPython": package, "IPython.display": display}

    def update(self, html):
        self.shown.append(html)


@pytest.fixture
def screen(monkeypatch):
    screen = Screen()
    for name, module in screen.module().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(Console, "is_jupyter", True, raising=False)
    monkeypatch.setattr(Console, "__init__", lambda self, **options: None)
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_UPDATES", 0)
    return screen


def test_progress_in_a_notebook_is_one_line_that_changes(screen, capsys):
    bar = Progress("Training <1>", 10, "step")
    bar.advance(4, "loss 0.5")
    bar.say("step 4: dev run score 0.5")
    bar.close()
    first, second, last = screen.shown
    assert '<progress value="0" max="10">' in first
    assert "Training &lt;1&gt;: step 4 of 10" in second
    assert "(loss 0.5)" in second
    assert last == ""
    shown = capsys.readouterr()
    assert shown.out == "step 4: dev run score 0.5\n"
    assert shown.err == ""


def test_progress_can_be_hidden(monkeypatch, capsys):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0)
    with hide_progress(), hide_progress(False):
        bar = Progress("Training", 10, "step")
        bar.advance(4)
        bar.say("step 4")
        bar.close()
    assert capsys.readouterr() == ("", "")
    bar = Progress("Training", 10, "step")
    bar.advance(4)
    assert "step 4 of 10" in capsys.readouterr().err
