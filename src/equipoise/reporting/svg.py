"""Turning a matplotlib figure into SVG that lives inside the page and takes its colours and fonts."""

import io
import re
from collections.abc import Callable
from xml.etree import ElementTree

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

INK = "#111111"
MUTED = "#777777"
RULE = "#dddddd"
PAGE = "#fefefe"
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
"""Colours of Okabe and Ito (2008) that stay apart for colour-blind readers."""

PHONE = "-phone"
"""What the names of a phone's figures end with."""
_FULL_WIDTH = 870
"""From so many pixels on a figure is as wide as the page."""

_VARIABLES = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    PAGE: "var(--page)",
    **{colour: f"var(--series-{i})" for i, colour in enumerate(SERIES, start=1)},
}
_COLOUR = re.compile("|".join(_VARIABLES))


def to_svg(figure: Figure, name: str, description: str) -> Markup:
    """Return a figure as an inline SVG element.

    The colours named in this module become CSS variables, so that the page's light and dark themes hold for
    figures too; text stays text.

    Args:
        figure: the figure.
        name: prefix of the element ids, unique in the page.
        description: what a screen reader says in the figure's place.
    """
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    root = ElementTree.fromstring(buffer.getvalue())
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.rpartition("}")[2] in ("metadata", "style"):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        attributes = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
        element.attrib.clear()
        element.attrib.update({key: _adapt(key, value, name) for key, value in attributes.items()})
    view = root.attrib["viewBox"]
    root.attrib.clear()
    root.attrib.update({"viewBox": view, "role": "img", "aria-label": description})
    if (width := float(view.split()[2])) < _FULL_WIDTH:
        # A narrow figure is not blown up to the page, and its text stays readable on a phone.
        root.attrib["style"] = f"max-width: {width:.0f}px; min-width: {0.8 * width:.0f}px"
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def draw_for_screens(draw: Callable[[str], Markup | None]) -> Markup | None:
    """Draw a figure twice: as wide as the page, and for a phone, where text would shrink to nothing otherwise.

    The page's style sheet shows one of them.

    Args:
        draw: draws the figure; is given what the names of its parts end with, which is `PHONE` for a phone.
    """
    wide = draw("")
    phone = None if wide is None else draw(PHONE)
    return None if phone is None else Markup(f'<div class="wide">{wide}</div><div class="phone">{phone}</div>')


def _adapt(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if key == "href":
        return value.replace("#", f"#{name}-", 1)
    if key == "style":
        value = _COLOUR.sub(lambda match: _VARIABLES[match.group()], value)
    return value.replace("url(#", f"url(#{name}-")
