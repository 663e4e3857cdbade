"""A page opened in a browser, for tests."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BROWSER = shutil.which("chromium")
SCREENS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]

_SHIFTED = """[...document.querySelectorAll('table')].flatMap(one => {
  if (!one.tHead || !one.tBodies[0]?.rows.length) return [];
  const right = cell => cell.getBoundingClientRect().right - parseFloat(getComputedStyle(cell).paddingRight);
  const [heads, cells] = [[...one.tHead.rows].at(-1).cells, one.tBodies[0].rows[0].cells];
  const off = (head, i) => head.classList.contains('number') && Math.abs(right(head) - right(cells[i])) > 1;
  return heads.length === cells.length ? [...heads].filter(off).map(head => head.innerText) : [];
})"""


def find_shifted(tab: Any) -> list[str]:
    """Return the heads of columns of numbers that do not end where their numbers do."""
    return list(tab.evaluate(_SHIFTED))


@contextmanager
def open_page(page: Path, width: int, scheme: str) -> Iterator[tuple[Any, dict[str, list[str]]]]:
    """Open a file, all that is folded unfolded.

    Yields:
        The tab; and what it has said and asked for until now, see `look_at`.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        tab.set_default_timeout(180_000)
        found: dict[str, list[str]] = {"said": [], "asked": []}
        tab.on("console", lambda message: found["said"].append(message.text))
        tab.on("pageerror", lambda error: found["said"].append(str(error)))
        tab.on("request", lambda request: found["asked"].append(request.url))
        tab.goto(page.as_uri())
        tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        yield tab, found
        browser.close()


def look_at(page: Path, width: int, scheme: str) -> dict[str, list[str]]:
    """Open a file, all that is folded unfolded.

    Returns:
        "said": what the console says, errors too; "asked": the addresses that are asked for, the page's left out;
        "wide": what is wider than the screen; "unnamed": what keyboards reach and screen readers cannot name.
    """
    with open_page(page, width, scheme) as (tab, found):
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        found["wide"] = [str(tab.evaluate("document.documentElement.scrollWidth"))] if tab.evaluate(wide) else []
        reached = "[...document.querySelectorAll('[tabindex], summary, a, select')]"
        name = "one.ariaLabel || (one.labels ? one.labels[0]?.innerText ?? '' : one.innerText)"
        found["unnamed"] = tab.evaluate(
            f"{reached}.filter(one => !({name}).trim()).map(one => one.outerHTML.slice(0, 80))"
        )
    found["asked"] = [url for url in found["asked"] if url != page.as_uri() and not url.startswith("data:")]
    return found
