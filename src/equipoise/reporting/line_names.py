"""The names of a chart's lines, beside their ends."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes

from .svg import INK

_MAX_NAME = 26


class End(NamedTuple):
    """Where a line ends, and how it is named."""

    value: float
    name: str
    look: dict[str, Any]


def label_ends(axes: Axes, ends: Sequence[End]) -> None:
    """Name the lines beside their right ends, moved apart where names would overlap."""
    low, high = axes.get_ylim()
    width, height = axes.bbox.width, axes.bbox.height
    ends = sorted(ends, key=lambda end: end.value)
    places = _spread([(end.value - low) / (high - low) for end in ends], 17 / height)
    for place, (_, name, look) in zip(places, ends, strict=True):
        strong = look["color"] == INK
        sample = [1 + 10 / width, 1 + 32 / width]
        axes.plot(
            sample,
            [place, place],
            transform=axes.transAxes,
            clip_on=False,
            linewidth=2.6 if strong else 2,
            scalex=False,
            scaley=False,
            **look,
        )
        axes.text(
            1 + 39 / width,
            place,
            short(name),
            transform=axes.transAxes,
            va="center",
            fontweight="bold" if strong else "normal",
            parse_math=False,
        )


def _spread(places: Sequence[float], gap: float) -> list[float]:
    """Move ascending places apart to `gap`: each group of neighbours around its centre, within 0 and 1."""
    groups: list[list[float]] = []
    for place in places:
        groups.append([place])
        while len(groups) > 1 and _bottom(groups[-1], gap) - _top(groups[-2], gap) < gap:
            last = groups.pop()
            groups[-1] += last
    return [_bottom(group, gap) + i * gap for group in groups for i in range(len(group))]


def _bottom(group: Sequence[float], gap: float) -> float:
    height = gap * (len(group) - 1)
    return max(0.0, min(sum(group) / len(group) - height / 2, 1 - height))


def _top(group: Sequence[float], gap: float) -> float:
    return _bottom(group, gap) + gap * (len(group) - 1)


def short(name: str) -> str:
    """Cut a name that is too long for a figure."""
    return name if len(name) <= _MAX_NAME else name[: _MAX_NAME - 1] + "…"


def key_width(names: Sequence[str]) -> float:
    """Return the pixels that `label_ends` takes beside a figure."""
    return 45 + 8.2 * max(len(short(name)) for name in names)
