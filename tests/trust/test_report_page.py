"""A run's report in a browser: it says and asks nothing, fits a phone, and its tables are reached by keyboard."""

import pytest

from browsing import BROWSER, SCREENS, look_at


@pytest.mark.skipif(BROWSER is None, reason="chromium is not installed")
@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_the_report_is_whole_on_every_screen(trusted, width, scheme):
    found = look_at(trusted.folder / "report.html", width, scheme)
    assert found == {"said": [], "asked": [], "wide": [], "unnamed": []}


@pytest.mark.skipif(BROWSER is None, reason="chromium is not installed")
def test_what_is_wrong_with_a_page_is_seen(tmp_path):
    page = tmp_path / "bad.html"
    page.write_text(
        "<!doctype html><div style='width:2000px;height:9px' tabindex=0></div><img src=other.png>"
        "<script>console.log('hi')</script>"
    )
    found = look_at(page, 390, "light")
    assert "hi" in found["said"]
    assert found["asked"] == [(tmp_path / "other.png").as_uri()]
    assert len(found["wide"]) == len(found["unnamed"]) == 1
