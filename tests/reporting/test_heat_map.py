"""A heat map is as wide as its cells need, so that its writing can be read on a phone."""

import re

import pytest

from equipoise.reporting.heat_map import Gain, plot_gains


@pytest.mark.parametrize(("columns", "fits"), [(1, True), (2, True), (8, False)])
def test_few_columns_fit_a_phone(columns, fits):
    names = [f"task {i}" for i in range(columns)]
    svg = plot_gains(names, {"emotion": dict.fromkeys(names, Gain(-1.4, -7.8, 9.9))}, "gains", "Gains.")
    width = float(re.search(r'viewBox="0 0 ([0-9.]+)', svg)[1])
    assert (0.8 * width <= 358) == fits
    assert ("min-width" in svg) == fits
