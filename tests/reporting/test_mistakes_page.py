"""Mistakes in the report: words that decided are marked, rows are chosen without a script, hostile names stay text."""

import json

import pytest

from browsing import BROWSER, find_shifted, look_at, open_page
from equipoise.reporting import write_report
from mistaken import HOSTILE, TEXT, example, make_mistakes, word
from pages import Page

browser_only = pytest.mark.skipif(BROWSER is None, reason="chromium is not installed")


@pytest.fixture
def write(make):
    """A function that writes the report of a run with some mistakes."""
    folder = make(["intensity", "polarity"])

    def write_page(mistakes):
        (folder / "mistakes.json").write_text(json.dumps(mistakes))
        return write_report(folder)

    return write_page


def marks(html):
    """What is marked: the words, how they speak, and how much."""
    section = html[html.index('class="all-mistakes"') :]
    found = [part.partition("</mark>")[0] for part in section.split("<mark class=")[1:]]
    return [tuple(part.replace('"', "").replace(" title=", ">").split(">")) for part in found]


def test_words_are_marked_by_sign_and_strength_and_named_with_figures(write):
    html = write(make_mistakes()).read_text(encoding="utf-8")
    assert marks(html)[2:5] == [
        ("against share-5", "−1.50", "Not"),
        ("for share-4", "+1.20", "bad"),
        ("for share-10", "+3.00", "👍🏽"),
    ]
    assert "good</mark>" not in html  # too light to be marked
    assert "(log-odds): 👍🏽\u00a0+3.00, Not\u00a0−1.50, bad\u00a0+1.20</span>" in html
    assert "The words that decided are not marked: the run file turns it off (evaluation.explain: 0)." in html


def test_hostile_names_and_texts_stay_text(write):
    html = write(make_mistakes()).read_text(encoding="utf-8")
    page = Page(html)
    assert not {tag for tag, _ in page.tags} & {"script", "b"}
    assert HOSTILE[0] in page.text
    assert html.count("</style>") == 1
    assert "{{ 7 * 7 }}" in page.text


def test_words_overlap_repeat_or_stand_behind_what_is_kept(write):
    mistakes = make_mistakes()
    long = example("none", HOSTILE[0], text="bad " * 125)
    words = [word("bad " * 125, "bad", 1.0)] * 2 + [{"word": "", "start": 2, "end": 9, "weight": 1.0}]
    long["explained"] = [{**long["explained"][0], "words": words, "rest": -0.4}]
    mistakes["polarity"]["examples"] = [long]
    html = write(mistakes).read_text(encoding="utf-8")
    assert [text for *_, text in marks(html)][2:] == ["bad"]
    assert '<span title="the words behind: −0.40"> …</span>' in html
    assert "by-true" not in html.partition("<body>")[2]  # one row: nothing to choose


def test_mistakes_from_before_there_were_words_are_shown(write):
    mistakes = make_mistakes()
    for task in mistakes.values():
        del task["unexplained"]
        for one in task["examples"]:
            for key in ("explained", "label_classes", "answer_classes"):
                del one[key]
    page = Page(write(mistakes).read_text(encoding="utf-8"))
    assert page.text.count(TEXT.split(",")[0]) == 7


@browser_only
def test_rows_are_chosen_by_task_true_and_answered_class(write):
    with open_page(write(make_mistakes()), 1280, "light") as (tab, found):
        rows = tab.locator(".mistakes tbody tr:visible")
        true, answered = tab.locator(".by-true"), tab.locator(".by-answered")
        assert rows.count() == 7
        true.select_option(index=1)
        assert rows.count() == 3 + 1
        answered.select_option(index=2)
        assert rows.count() == 2 + 1
        answered.select_option(index=1)
        assert rows.count() == 1  # no row is both; that of the other task stays
        true.select_option(index=0)
        # By keyboard alone.
        answered.focus()
        tab.keyboard.press("ArrowDown")
        assert answered.evaluate("one => one.selectedIndex") == 2
        assert rows.count() == 3 + 1
        tab.keyboard.press("Home")
        tab.get_by_label("task", exact=True).select_option("intensity")
        assert (rows.count(), tab.locator("h3:visible", has_text="polarity").count()) == (1, 0)
        assert found["said"] == []


@browser_only
@pytest.mark.parametrize("width", [1280, 390])
def test_numbers_stand_under_their_heads_and_lines_are_named_on_a_phone(write, width):
    mistakes = make_mistakes()
    mistakes["polarity"]["confusion"] = [[1, 20, 3, 0]] * 4
    with open_page(write(mistakes), width, "light") as (tab, _):
        assert find_shifted(tab) == []
        assert tab.locator(".lines").first.is_visible() == (width == 390)
        assert set(tab.locator(".lines").first.locator("li").all_inner_texts()) == {"polarity", "intensity"}


def test_long_names_of_classes_leave_room_for_the_counts(write):
    mistakes = make_mistakes()
    count = len(mistakes["polarity"]["classes"])
    mistakes["polarity"] |= {"classes": [f"{n}{'y' * 500}" for n in range(count)], "confusion": [[1] * count] * count}
    table = (
        write(mistakes).read_text(encoding="utf-8").partition('<table class="confusion">')[2].partition("</table>")[0]
    )
    assert table.count("yyy…yyy") == 2 * count
    assert "y" * 40 not in table


@browser_only
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_hostile_names_break_nothing_on_a_screen(write, width, scheme):
    mistakes = make_mistakes()
    mistakes["polarity"]["examples"].append(example(HOSTILE[3], HOSTILE[3], text="x" * 500))
    assert look_at(write(mistakes), width, scheme) == {"said": [], "asked": [], "wide": [], "unnamed": []}


_CHARTS = """[...document.querySelectorAll('section[aria-labelledby=training] .scroll')].map(one => {
  const shown = [...one.querySelectorAll('svg')].filter(svg => svg.getBoundingClientRect().width);
  const sizes = [...shown[0].querySelectorAll('text')].map(text => {
    const scale = shown[0].getBoundingClientRect().width / shown[0].viewBox.baseVal.width;
    return parseFloat(getComputedStyle(text).fontSize) * scale;
  });
  return [shown.length, one.scrollWidth <= one.clientWidth, Math.min(...sizes) >= 11];
})"""


@browser_only
@pytest.mark.parametrize("width", [1280, 390])
def test_line_charts_fit_the_screen_and_their_text_can_be_read(write, width):
    with open_page(write(make_mistakes()), width, "light") as (tab, _):
        assert tab.evaluate(_CHARTS) == [[1, True, True]] * 3
