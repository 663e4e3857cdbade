"""Any cell becomes a value of strict JSON."""

import datetime
import json

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.json_values import as_json_value


def test_values_that_json_does_not_have():
    given_ = {
        "inf": [float("inf"), (float("nan"), {1: -float("inf")})],
        "numpy": np.array([1.5, np.nan], dtype=np.float32),
        "scalars": (np.float32("inf"), np.int64(3), np.bool_(True)),
        "bytes": b"caf\xc3\xa9\xff",
        "date": datetime.date(2026, 1, 2),
        "missing": pandas.NaT,
        "set": {1},
    }
    assert as_json_value(given_) == {
        "inf": [None, [None, {"1": None}]],
        "numpy": [1.5, None],
        "scalars": [None, 3, True],
        "bytes": "café\ufffd",
        "date": "2026-01-02",
        "missing": "NaT",
        "set": [1],
    }


def test_levels_are_bounded():
    deep = []
    for _ in range(99):
        deep = [deep]
    assert as_json_value(deep) == deep
    with pytest.raises(RecursionError):
        as_json_value([deep])


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner),
    max_leaves=5,
)


@given(_VALUES)
def test_what_comes_out_is_strict_json_and_stays(value):
    plain = as_json_value(value)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
