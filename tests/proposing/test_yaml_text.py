"""Whatever files hold, the run file is valid YAML that reads back equal."""

import pyarrow
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.config import dump_config, load_config, make_config, parse_yaml
from equipoise.config.loading import _expand_variables
from equipoise.errors import DataError
from equipoise.proposing import propose, to_yaml

HOSTILE = (
    *("yes", "no", "on", "OFF", "null", "~", "1e3", "1_000", "0x1f", "2020-01-01", "12:30:45", "=", "<<", "...", "---"),
    *(
        "a: b",
        "#x",
        "- a",
        "a #b",
        "'",
        '"',
        "{a}",
        "[",
        "a\nb",
        "a\tb",
        "\x85",
        "\u2028",
        "\ufeff",
        "😀",
        "👨‍👩‍👧",
        "",
        " ",
    ),
    *("${HOME}", "$${HOME}", "&a", "*a", "!!str", "%", "@", "`", "é", "１", ".nan", ".inf", "a ", " a", "?", "|", ">"),
)
texts = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=12))
names = texts.map(lambda text: text.replace("\0", ""))  # which Arrow cuts names at
values = st.recursive(
    st.one_of(
        texts, st.integers(-(10**9), 10**9), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none()
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=8,
)


@given(texts)
def test_a_text_is_one_line_and_reads_back(text):
    written = to_yaml(text)
    assert len(written.splitlines()) == 1
    assert unescaped(yaml.safe_load(written)) == text


@given(values)
def test_a_value_reads_back_by_the_loader_of_run_files(value):
    data = parse_yaml(f"key: {to_yaml(value)}  # a comment\n", "test")
    assert unescaped(data["key"]) == value


def unescaped(value):
    """What the loader makes of variables."""
    return _expand_variables(value, "test", ())


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_columns_and_classes_read_back(text):
    check_table("text" + text, "label" + text, [text or "x", "other"])
    if text and text not in ("${HOME}", "$${HOME}"):
        check_table("review", text, ["yes", "no"])


@settings(max_examples=15)
@given(names, names, st.lists(texts.filter(str.strip), min_size=2, max_size=4, unique=True))
def test_any_columns_and_classes_read_back(one, other, classes):
    check_table(f"text {one}", f"label {other}", classes)


def check_table(text, label, classes):
    rows = 40
    table = pyarrow.table(
        {
            text: [f"this is a text of some words, number {number}" for number in range(rows)],
            label: [classes[number % len(classes)] for number in range(rows)],
        }
    )
    proposal = propose_or_none({"data": table})
    if proposal is None:
        return
    config = proposal.config()
    assert config == make_config(unescaping(proposal.to_dict()), folder=proposal.folder)
    (task,) = config.tasks.values()
    assert (task.text, task.label) == (text, label)
    assert all(line.lstrip().startswith("#") or ":" in line for line in proposal.text.splitlines())


def propose_or_none(data):
    """A proposal; none where the classes are none: of one spelling, or words that mean no value."""
    try:
        return propose(data)
    except DataError as error:
        if "none of which looks like labels" in str(error) or "holds one value only" in str(error):
            return None
        raise


def unescaping(data):
    """Plain data with variables written as the run file has them."""
    if isinstance(data, dict):
        return {key: unescaping(value) for key, value in data.items()}
    if isinstance(data, list):
        return [unescaping(value) for value in data]
    return data.replace("${", "$${") if isinstance(data, str) else data


def test_the_config_of_a_run_reads_back_with_dollars(tmp_path):
    """A run's own run file is written when its variables are filled in already."""
    data = {
        "sources": {"s": {"path": "a.csv"}},
        "tasks": {"t": {"source": "s", "kind": "regression", "label": "$${HOME}"}},
        "output": "run",
    }
    config = make_config(data, folder=tmp_path)
    assert config.tasks["t"].label == "${HOME}"
    (tmp_path / "config.yaml").write_text(dump_config(config), encoding="utf-8")
    assert load_config(tmp_path / "config.yaml") == config
