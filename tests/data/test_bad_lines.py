"""How messages quote what a file holds."""

import pytest

from equipoise.data.bad_lines import excerpt


@pytest.mark.parametrize(
    "text", [b"Gr\xf6\xdfe".decode("utf-8", "surrogateescape"), "half \ud83d", "whole \N{GRINNING FACE}"]
)
def test_what_is_quoted_can_be_printed(text):
    quoted = excerpt(text)
    quoted.encode("utf-8")
    assert "\\ud" not in quoted
    assert ("\N{REPLACEMENT CHARACTER}" in quoted) == (not text.isprintable())
