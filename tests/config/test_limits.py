"""A run file is bounded: whatever it holds, it is read or refused soon, in one short message."""

import os
import string
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from equipoise.comparison.rows import parse_balancers
from equipoise.config import RunConfig, load_config, make_config, parse_yaml
from equipoise.errors import MESSAGE_LIMIT, UsageError

RUN = {
    "sources": {"s": {"path": "a.csv", "split": [0.8, 0.1, 0.1]}},
    "tasks": {
        "a": {"source": "s", "kind": "regression", "range": [-1, 1]},
        "b": {"source": "s", "kind": "classification", "from_score": {"classes": ["x", "y"], "thresholds": [0]}},
    },
    "balance": {"name": "dao", "clip": [0.1, 10]},
    "train": {"epochs": 1},
    "merge": {"operator": "ties"},
    "output": "out",
}


def refused(text, *overrides, tmp_path):
    """The message for a run file; it comes within seconds."""
    path = tmp_path / "run.yaml"
    path.write_text(text)
    begun = time.perf_counter()
    with pytest.raises(UsageError) as caught:
        load_config(path, overrides)
    assert time.perf_counter() - begun < 20
    assert len(str(caught.value)) <= MESSAGE_LIMIT
    return str(caught.value)


def bomb(opening, closing, item, levels=9):
    """Ten times as many values on each level, by aliases."""
    lines = [f"a0: &a0 {item}"]
    for level in range(levels):
        aliases = ", ".join([f"*a{level}"] * 10 if opening == "[" else [f"k{k}: *a{level}" for k in range(10)])
        lines.append(f"a{level + 1}: &a{level + 1} {opening}{aliases}{closing}")
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        bomb("[", "]", "x"),
        bomb("{", "}", "x"),
        bomb("{", "}", "{y: 1}") + "\nbalance: {name: equal, clip: *a9}",
        "a0: &a0 {x: 1}\n" + "\n".join(f"a{n + 1}: &a{n + 1} {{<<: [{', '.join([f'*a{n}'] * 10)}]}}" for n in range(9)),
    ],
    ids=["lists", "maps", "options", "merge keys"],
)
def test_aliases_count_as_what_they_stand_for(text, tmp_path):
    assert "more than 50,000 values" in refused(text, tmp_path=tmp_path)


@pytest.mark.parametrize("text", ["[" * 100_000, "{" * 100_000, "- " * 100_000, "? " * 100_000, "{a: " * 100_000])
def test_levels_are_counted(text, tmp_path):
    assert "nested too deeply, more than 50 levels (line 1)" in refused(text, tmp_path=tmp_path)


def test_levels_are_counted_through_aliases(tmp_path):
    chain = "\n".join(["a0: &a0 [x]", *(f"a{n + 1}: &a{n + 1} [*a{n}]" for n in range(5000))])
    assert "nested too deeply" in refused(chain, tmp_path=tmp_path)
    assert parse_yaml("a: &a [1]\nb: &b [*a, *a]\nc: [*b, *b]", "x")["c"] == [[[1], [1]]] * 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &a {b: *a}", r"an alias (*a) stands inside its own anchor (&a) (line 1)"),
        ("a: &a {<<: *a}", r"an alias (*a) stands inside its own anchor (&a) (line 1)"),
        ("train: {seed: " + "9" * 100_000 + "}", "a number of 100,000 digits, expected 60 at most"),
        ("train: {seed: 0x" + "f" * 100_000 + "}", "a number of 100,002 digits, expected 60 at most"),
        ("train: {seed: 1" + ":59" * 100_000 + "}", "digits, expected 60 at most"),
        ("output: !!binary aGk=", "found the tag !!binary"),
        ("output: !!python/object/apply:os.system [ls]", "found the tag !!python/object/apply:os.system"),
        ("output: !own x", "found the tag !own"),
        ("tasks: !!set {a, b}", "found the tag !!set"),
        ("output: !!bool maybe", "a value does not fit its tag"),
        ("output: !!timestamp maybe", "a value does not fit its tag"),
        ("\toutput: x", "not valid YAML"),
        ("a: b\n---\nc: d", "not valid YAML: expected a single document"),
        ('output: "\\ud83d"', "half a character in '\\ud83d'"),
        ("output: a\0b", "not valid YAML: unacceptable character"),
        (": " * 1000, "not valid YAML"),
        ("é" * 500_001, "found 1,000,002 bytes, expected 1,000,000 at most; is it another file?"),
    ],
)
def test_hostile_values(text, message, tmp_path):
    assert message in refused(text, tmp_path=tmp_path)


def test_characters_that_json_writes_in_halves_are_put_together(tmp_path):
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(RUN))
    config = load_config(tmp_path / "run.yaml", [r'output="/\ud83d\ude00"'])
    assert str(config.output) == "/😀"


def test_the_run_file_is_an_ordinary_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    for name, found in {
        tmp_path / "pipe.yaml": "a pipe",
        tmp_path / "loop.yaml": "a symbolic link that leads back to itself",
        tmp_path: "a folder",
        "/dev/zero": "a device",
        "a\0b": "characters that no path can have",
        "\ud83d.yaml": "characters that no path can have",
        "x" * 5000: "File name too long",
    }.items():
        with pytest.raises(UsageError, match=found) as caught:
            load_config(name)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) <= MESSAGE_LIMIT


def test_a_run_file_may_be_called_anything_that_is_text(tmp_path):
    (tmp_path / "😀 \u202e.yaml").write_text(yaml.safe_dump(RUN))
    assert load_config(tmp_path / "😀 \u202e.yaml").output == tmp_path / "out"
    folder = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(folder)
    with open(folder + b"/run.yaml", "w") as file:
        yaml.safe_dump(RUN, file)
    with pytest.raises(UsageError, match=r"sources\.s\.path: found a path that is not UTF-8"):
        load_config(os.fsdecode(folder + b"/run.yaml"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("x=" + bomb("[", "]", "x").replace("\n", ", ").join("{}"), "more than 50,000 values"),
        ("x=" + "[" * 100_000, "nested too deeply"),
        (".".join("a" * 100_000) + "=1", "found a key of 100000 levels, expected 20 at most"),
        ("=" * 100_000, "expected KEY=VALUE"),
        ("train.seed=" + "9" * 60, "expected less than 4294967296"),
        ("train.seed=0x" + "f" * 58, "found a number of about 69 digits, expected less than 4294967296"),
        ("train.batch_size=1000000001", "expected less than or equal to 1000000000"),
        ("train.epochs=1.0e+300", "expected less than or equal to 1000000"),
        ("tasks.{long}={{source: s, kind: regression}}", "expected 60 characters at most"),
        ("tasks.A={{source: s, kind: regression}}", "found the names 'a' and 'A', which differ in capitals or"),
        ("held_out.ａ={{source: s, kind: regression}}", r"found the names 'a' and '\uff41'"),
        ("tasks.a\u200d={{source: s, kind: regression}}", r"found the names 'a' and 'a\u200d'"),
        ("sources.S.path=b.csv", "sources: found the names 's' and 'S'"),
        ("tasks./etc={{source: s, kind: regression}}", "expected letters, digits, - and _ only"),
        ('tasks={{"..": {{source: s, kind: regression}}}}', "expected letters, digits, - and _ only"),
        ('tasks={{"": {{source: s, kind: regression}}}}', "expected letters, digits, - and _ only"),
        ('tasks={{"a\\n": {{source: s, kind: regression}}}}', "expected letters, digits, - and _ only"),
        ("sources.{long}.path=b.csv", "sources: found the name"),
    ],
)
def test_hostile_overrides(override, message, tmp_path):
    override = override.format(long="x" * 300) if "{{" in override or "{long}" in override else override
    assert message in refused(yaml.safe_dump(RUN), override, tmp_path=tmp_path)


def test_names_of_sixty_letters_are_fine():
    task = RUN["tasks"]["a"]
    assert len(make_config(RUN | {"tasks": {"𝒜" * 60: task, "größe-2": task}}).tasks) == 2


def test_of_many_problems_several_are_told(tmp_path):
    message = refused("train: {seed: -1, epochs: -1, sed: 1, warmup: 2}\nbalance: 3\nmerge: 3", tmp_path=tmp_path)
    assert message.count("\n") >= 4
    assert message.count(str(tmp_path)) == 2  # of the first and the last


def test_balancers_are_read_within_bounds():
    for given_ in (bomb("[", "]", "x").replace("\n", ", ").join("{}"), "[" * 100_000, "!!python/name:os.system"):
        with pytest.raises(UsageError) as caught:
            parse_balancers(given_)
        assert len(str(caught.value)) <= MESSAGE_LIMIT


_TEXTS = st.text(st.characters(exclude_categories=()), max_size=20)
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | _TEXTS | st.dates() | st.binary(max_size=5)
_DATA = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_SCALARS.filter(bool), inner, max_size=4),
    max_leaves=12,
)
_KEYS = st.sampled_from([*RunConfig.model_fields, *RUN["tasks"]["b"], "classes", "train", "path", "x", "a"])


def read_or_refused(call, *arguments):
    try:
        message = "" if isinstance(call(*arguments), RunConfig) else None
    except UsageError as error:
        message = str(error) or None
    assert message is not None
    assert len(message) <= MESSAGE_LIMIT
    assert message.replace("\n", "").isprintable()


@given(_DATA)
def test_any_data_is_read_or_refused(data):
    if isinstance(data, dict):
        read_or_refused(make_config, data)
        read_or_refused(make_config, {**RUN, **data})


@st.composite
def mutations(draw):
    """A run file in which values are replaced, removed or added."""
    data = yaml.safe_load(yaml.safe_dump(RUN))
    for _ in range(draw(st.integers(1, 3))):
        place = data
        while (
            isinstance(inner := place[key], dict) and draw(st.booleans())
            if (key := draw(st.sampled_from(list(place))) if place else None)
            else False
        ):
            place = inner
        place[draw(st.sampled_from(list(place) or ["x"]) | _KEYS)] = draw(_DATA)
        if draw(st.booleans()) and place:
            place.pop(draw(st.sampled_from(list(place))))
    return data


@given(mutations())
def test_any_mutation_is_read_or_refused(data):
    read_or_refused(make_config, data)


@given(st.text(st.sampled_from(string.printable + "&*<>{}[]:-!|?\u2028é😀\0"), max_size=200), st.integers(0, 300))
def test_any_text_is_read_or_refused(tmp_path_factory, text, place):
    whole = yaml.safe_dump(RUN)
    path = tmp_path_factory.getbasetemp() / "fuzzed.yaml"
    for content in (text, whole[:place] + text + whole[place:]):
        path.write_bytes(content.encode())
        read_or_refused(load_config, path)


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(content)
    read_or_refused(load_config, path)
