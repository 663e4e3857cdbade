"""The page in a browser: it answers, escapes, fits a phone, and asks nobody else."""

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn

from equipoise.serving import make_app
from length_predictor import LengthPredictor

BROWSER = shutil.which("chromium")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="chromium is not installed")
HOSTILE = "<img src=x onerror=alert(1)> 🎉 " + "x" * 200


KEY = "s3cret"


@contextmanager
def serve(key: str | None = None) -> Iterator[str]:
    app = make_app(LengthPredictor(), "<i>lengths</i>", api_key=key)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serve() as url:
        yield url


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

    table = 'id;review\n1;"a ""quoted"" text; with signs"\n2;\n3;<b>x</b>\n4;good; cheap\n5\n'
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(address)
        page.set_input_files("#file", {"name": "t.csv", "mimeType": "text/csv", "buffer": table.encode()})
        page.locator("#status", has_text="5 rows of t.csv").wait_for()
        page.click("#go")
        page.locator("#status", has_text="2 answered, 3 with an error.").wait_for()
        assert page.locator(".answer h2").all_inner_texts() == [
            'a "quoted" text; with signs',
            "",
            "<b>x</b>",
            "good",
            "",
        ]
        empty, many, few = page.locator(".answer .error").all_inner_texts()
        assert "empty text" in empty
        assert many.startswith("row 4: found 3 cells, expected 2 as in the header.")
        assert few.startswith("row 5: found 1 cells, expected 2")
        browser.close()


REFUSED = {
    "empty.csv": (b"", "empty.csv is empty."),
    "head.csv": (b"id,text\n", "head.csv has a header, but no rows."),
    "image.png": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "image.png is not a text in UTF-8. Save the table as CSV"),
    "book.xlsx": (b"PK\x03\x04\x14\x00\x00\x00", "book.xlsx is not a text in UTF-8."),
    "latin.csv": ("text\ncafé\n".encode("latin-1"), "latin.csv is not a text in UTF-8."),
}


def test_what_is_not_a_table_is_refused_and_the_file_before_is_forgotten(address: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_page()
        said: list[str] = []
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(address)
        for name, (content, message) in REFUSED.items():
            page.set_input_files("#file", {"name": "t.csv", "mimeType": "text/csv", "buffer": b"id,text\n1,good\n"})
            page.locator("#status", has_text="1 rows of t.csv").wait_for()
            page.set_input_files("#file", {"name": name, "mimeType": "text/csv", "buffer": content})
            page.locator("#status", has_text=message).wait_for()
            assert page.locator("#column-row").is_hidden()
            assert page.input_value("#file") == ""
        page.set_input_files("#file", {"name": "one.csv", "mimeType": "text/csv", "buffer": b"text\nFine, and cheap\n"})
        page.click("#go")
        page.locator("#status", has_text="1 answered.").wait_for()
        assert page.locator(".answer h2").all_inner_texts() == ["Fine, and cheap"]
        assert said == []
        browser.close()


def test_a_service_with_a_key_asks_for_it() -> None:
    from playwright.sync_api import sync_playwright

    with serve(KEY) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(address)
        page.fill("#texts", "four")
        page.click("#go")
        page.locator("#status", has_text="This service needs a key: give it under Options").wait_for()
        assert page.evaluate("document.activeElement.id") == "key"
        page.keyboard.insert_text("wrong")
        page.click("#go")
        page.locator("#status", has_text="does not take this key").wait_for()
        page.fill("#key", KEY)
        # What the model reads is known once the key is right, before the button is pressed.
        page.locator("#pair-row").wait_for()
        page.click("#go")
        page.locator("#status", has_text="1 answered.").wait_for()
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
