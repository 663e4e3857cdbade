"""The codes of findings: their page is up to date, and each is looked for somewhere."""

import re
from pathlib import Path

import equipoise
from equipoise.auditing import CODES
from equipoise.cli.lists import get_catalogue

ROOT = Path(equipoise.__file__).parent


def test_the_page_of_codes_is_up_to_date():
    """Made by: equipoise list codes --markdown."""
    page = Path(__file__).parent.parent.parent / "docs" / "check.md"
    assert get_catalogue("codes").table().to_markdown() in page.read_text(encoding="utf-8")


def test_every_code_is_used_and_no_other():
    sources = [
        path.read_text(encoding="utf-8")
        for package in ("auditing", "training")
        for path in (ROOT / package).rglob("*.py")
        if path.name != "codes.py"
    ]
    used = {code for source in sources for code in re.findall(r'"([ETLSR]\d\d)"', source)}
    assert used == set(CODES)


def test_codes_count_from_one_in_each_group():
    for letter in "ETLSR":
        numbers = [int(code[1:]) for code in CODES if code[0] == letter]
        assert numbers == list(range(1, len(numbers) + 1))
