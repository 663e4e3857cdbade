"""What `equipoise check` prints, writes and exits with."""

import json
import shutil

import pytest

from browsing import find_shifted
from pages import Page
from plants import make_rows, write_rows

BROWSER = shutil.which("chromium")


@pytest.fixture
def folder(tmp_path, tiny_model, monkeypatch):
    """A folder with rows, a run file that is right, and nothing else."""
    write_rows(tmp_path / "rows.jsonl", make_rows("command", 120))
    data = {
        "model": str(tiny_model),
        "max_length": 32,
        "sources": {"rows": {"path": "rows.jsonl"}},
        "tasks": {"what": {"source": "rows", "kind": "classification"}},
        "train": {"max_steps": 4, "batch_size": 8, "evaluations": 1},
        "output": "run",
    }
    (tmp_path / "run.yaml").write_text(json.dumps(data))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def check(monkeypatch, capsys):
    """Call the command; return exit code, standard output and standard error."""
    from equipoise.cli import main

    def call(*options):
        monkeypatch.setattr("sys.argv", ["equipoise", "check", "run.yaml", "--fast", *map(str, options)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capsys.readouterr()

    return call


def test_strict_exits_with_one_where_there_is_a_warning(folder, check):
    assert check()[0] == 0
    code, out, _ = check("--strict")
    assert (code, "S06" in out, "1 warning, 1 note." in out) == (1, True, True)
    assert sorted(path.name for path in folder.iterdir()) == ["rows.jsonl", "run.yaml"]


def _no_file(folder):
    (folder / "rows.jsonl").unlink()


def _a_list(folder):
    write_rows(folder / "rows.jsonl", [{**row, "label": ["a"]} for row in make_rows("command", 40)])


def _no_text(folder):
    write_rows(folder / "rows.jsonl", [{**row, "text": " "} for row in make_rows("command", 40)])


def _one_class(folder):
    write_rows(folder / "rows.jsonl", [{**row, "label": "a"} for row in make_rows("command", 40)])


ERRORS = (
    ("no run file key", "E01", ("--set", "train.epoch=1"), None),
    ("no balancer", "E01", ("--set", "balance=daoo"), None),
    ("no file", "E02", (), _no_file),
    ("no column", "E02", ("--set", "tasks.what.label=lable"), None),
    ("labels that are lists", "E03", (), _a_list),
    ("scores that are words", "E03", ("--set", "tasks.what.kind=regression"), None),
    ("labels without texts", "E03", (), _no_text),
    ("one class", "E04", (), _one_class),
    ("no model", "E05", ("--set", "model=./nowhere"), None),
    ("a precision for a GPU", "E06", ("--set", "train.precision=fp16"), None),
    ("an output below a file", "E06", ("--set", "output=rows.jsonl/run"), None),
)


@pytest.mark.parametrize(("code", "options", "edit"), [case[1:] for case in ERRORS], ids=[case[0] for case in ERRORS])
def test_what_cannot_run_is_an_error_with_a_code(folder, check, code, options, edit):
    if edit is not None:
        edit(folder)
    exit_code, out, err = check("--json", *options)
    found = json.loads(out)
    assert (exit_code, found["can_run"]) == (2, False)
    errors = [finding for finding in found["findings"] if finding["level"] == "error"]
    assert [error["code"] for error in errors] == [code]
    assert err.splitlines()[-1].startswith(("usage: ", "Correct", "expected", "error: ")) or "usage: " in err
    exit_code, out, again = check(*options)
    assert (exit_code, "usage: " in again, "Traceback" in again) == (2, True, False)


def test_other_findings_are_said_beside_an_error(folder, check):
    write_rows(folder / "others.jsonl", [{**row, "text": f"{row['text']} &amp;"} for row in make_rows("others", 120)])
    others = ("--set", "sources.others.path=others.jsonl", "--set", "tasks.that={source: others, kind: classification}")
    code, out, _ = check("--json", *others, "--set", "tasks.what.kind=regression")
    codes = [finding["code"] for finding in json.loads(out)["findings"]]
    assert (code, codes[0], "T05" in codes) == (2, "E03", True)


def test_a_page_replaces_only_a_page(folder, check):
    (folder / "mine.html").write_text("<h1>mine</h1>")
    code, out, err = check("--page", "mine.html")
    assert (code, out, "no page of a check" in err) == (1, "", True)
    for _ in range(2):
        assert check("--page", "check.html")[0] == 0
    code, _, err = check("--page", "rows.jsonl")
    assert (code, "rows.jsonl" in err) == (1, True)
    assert (folder / "mine.html").read_text() == "<h1>mine</h1>"


def test_the_page_escapes_what_it_shows(folder, check):
    rows = make_rows("hostile", 120)
    rows[0]["text"] = "<script>alert(1)</script> &amp; 🎉 " + rows[0]["text"]
    rows[1]["text"] = rows[2]["text"]
    write_rows(folder / "rows.jsonl", rows)
    assert check("--page", "check.html")[0] == 0
    page = Page((folder / "check.html").read_text(encoding="utf-8"))
    assert "<script>alert(1)</script>" in page.text
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.headings[0] == "run.yaml"
    assert ["what", "classification", "head"] in [row[:3] for table in page.tables for row in table]


@pytest.mark.skipif(BROWSER is None, reason="chromium is not installed")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_and_asks_nobody(folder, check, scheme):
    from playwright.sync_api import sync_playwright

    rows = make_rows("page", 120)
    for row in rows[:4]:
        row["text"] = f"{'x' * 150} &amp; {row['text']}"
    write_rows(folder / "rows.jsonl", rows)
    assert check("--page", "check.html")[0] == 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        for width in (1280, 390):
            page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
            said, asked = [], []
            page.on("console", lambda message, said=said: said.append(message.text))
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.goto((folder / "check.html").as_uri())
            assert "T05" in page.inner_text("main")
            assert find_shifted(page) == []
            names = page.locator("tbody th[scope=row]").evaluate_all(
                "all => all.map(one => [one.innerText, getComputedStyle(one).overflowWrap])"
            )
            assert names
            assert all(wraps != "anywhere" for _, wraps in names)  # a column is as wide as its longest word
            assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
            assert (said, [url for url in asked if not url.startswith("file:")]) == ([], [])
        browser.close()
