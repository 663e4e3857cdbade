"""The page in a browser: it answers, escapes, fits a phone, and asks nobody else."""

import shutil
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn

from equipoise.serving import make_app
from length_predictor import LengthPredictor

BROWSER = shutil.which("chromium")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="chromium is not installed")
HOSTILE = "<img src=x onerror=alert(1)> 🎉 " + "x" * 200


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(make_app(LengthPredictor(), "<i>lengths</i>"), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        server.should_exit = True
        thread.join(20)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_are_answered_by_keyboard_alone(address: str, width: int, scheme: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        page.locator("h1", has_text="<i>lengths</i>").wait_for()
        page.keyboard.press("Tab")
        page.keyboard.insert_text(f"four\n{HOSTILE}")
        page.locator("#pair").focus()
        page.keyboard.insert_text("target")
        page.keyboard.press("Enter")
        page.locator("#status", has_text="2 answered.").wait_for()
        assert page.locator(".answer h2").all_inner_texts() == ["four", HOSTILE]
        assert page.locator(".verdict").all_inner_texts()[:3] == ["4.000", "no", "<b>no</b>"]
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert said == []
        assert all(url.startswith((address, "data:")) for url in asked)
        browser.close()


def test_a_csv_file_is_answered_and_a_bad_row_in_its_place(address: str) -> None:
    from playwright.sync_api import sync_playwright

    table = 'id;review\n1;"a ""quoted"" text; with signs"\n2;\n3;<b>x</b>\n'
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(address)
        page.set_input_files("#file", {"name": "t.csv", "mimeType": "text/csv", "buffer": table.encode()})
        page.locator("#status", has_text="3 rows of t.csv").wait_for()
        page.click("#go")
        page.locator("#status", has_text="3 answered.").wait_for()
        assert page.locator(".answer h2").all_inner_texts() == ['a "quoted" text; with signs', "", "<b>x</b>"]
        assert "empty text" in page.locator(".answer .error").inner_text()
        browser.close()


ANSWERS = {
    "tone": {
        "label": None,
        "unsure": True,
        "best": "fair",
        "probabilities": {"fair": 0.6, "bad": 0.4},
        "set": ["fair", "bad"],
    },
    "score": {
        "score": 0.5,
        "interval": [0.25, 0.75],
        "words": [
            {"word": "not", "start": 0, "end": 3, "weight": -0.9},
            {"word": "😀", "start": 8, "end": 9, "weight": 0.5},
        ],
    },
    "feelings": {
        "labels": ["joy"],
        "probabilities": {"joy": 0.9},
        "set": {"joy": "yes", "fear": "unsure"},
        "words": {"joy": [{"word": "bad", "start": 4, "end": 7, "weight": 0.1}]},
    },
    "terms": [{"term": "bad", "start": 4, "end": 7, "polarity": "<i>good</i>", "score": 0.9}],
    "none": [],
}


def test_every_form_of_answer_is_shown(address: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_page()
        said: list[str] = []
        page.on("pageerror", lambda error: said.append(str(error)))
        page.route("**/predict", lambda route: route.fulfill(json={"answers": [ANSWERS]}))
        page.goto(address)
        page.fill("#texts", "not bad 😀!")
        page.click("#go")
        page.locator("#status", has_text="1 answered.").wait_for()
        assert said == []
        assert page.locator(".verdict").all_inner_texts() == ["unsure, perhaps fair", "0.500", "joy", "none"]
        assert page.locator("mark.against").inner_text() == "not"
        assert page.locator("mark.for").all_inner_texts() == ["😀", "bad"]
        assert page.locator("mark.aspect").inner_text() == "bad"
        notes = page.locator(".tasks .note").all_inner_texts()
        assert notes == ["possible: fair, bad", "between 0.250 and 0.750", "possible: joy: yes, fear: unsure", "joy"]
        assert "bad – <i>good</i> (0.90)" in page.locator(".items").first.inner_text()
        browser.close()
