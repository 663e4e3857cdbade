"""A damaged `equipoise.json` is one message that names the file and the key."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.errors import MESSAGE_LIMIT, ModelError
from equipoise.kinds import Classification, Generation, Multilabel, Regression
from equipoise.modeling import MultiTaskModel, load, load_backbone
from equipoise.modeling.description import read_description

COLUMNS = ("s", "text", None, "label")
TASKS = [
    Regression("score", *COLUMNS, "pearson", (-1.0, 1.0)),
    Classification("polarity", *COLUMNS, "macro_f1", ("bad", "fair", "good"), from_score=True, thresholds=(0.0, 1.0)),
    Multilabel("moods", *COLUMNS, "macro_f1", ("joy", "fear"), thresholds=(0.5, 0.4)),
    Generation("title", *COLUMNS, "rouge_l"),
]
WHOLE = {
    "format_version": 1,
    "max_length": 32,
    "pooling": "mean",
    "prompt": {"chat": True, "system": None},
    "base": {"name": "minilm", "fingerprint": "0" * 64, "quantization": "none"},
    "tasks": {task.name: json.loads(json.dumps(task.to_dict())) for task in TASKS},
}


def damaged(tmp_path, content):
    path = tmp_path / "equipoise.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ModelError) as caught:
        read_description(path)
    message = str(caught.value)
    assert len(message) <= MESSAGE_LIMIT
    assert message.startswith(f"{path}: ")
    assert message.endswith("; copy or train it again.")
    return message


def test_what_is_whole_is_read(tmp_path):
    (tmp_path / "equipoise.json").write_text(json.dumps(WHOLE))
    description, tasks = read_description(tmp_path / "equipoise.json")
    assert list(tasks.values()) == TASKS
    assert (description.max_length, description.base.name) == (32, "minilm")
    old = {key: WHOLE[key] for key in ("format_version", "max_length", "tasks")}
    (tmp_path / "equipoise.json").write_text(json.dumps(old))
    description, _ = read_description(tmp_path / "equipoise.json")
    assert (description.pooling, description.prompt.chat, description.base) == ("mean", True, None)


def put(keys, value):
    """`WHOLE` with another value; `...` takes the key out."""
    data = place = copy.deepcopy(WHOLE)
    *parents, last = keys.split(".")
    for key in parents:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return data


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        ("max_length", -1, "max_length: found -1, expected greater than 2"),
        ("max_length", "128", "max_length: found '128', expected a valid integer"),
        ("max_length", 10**20, "max_length: found "),
        ("max_length", 1.5, "max_length: found 1.5"),
        ("max_length", True, "max_length: found True"),
        ("max_length", ..., "max_length: missing"),
        ("format_version", "1", "format_version: found '1'"),
        ("format_version", 0, "format_version: found 0"),
        ("format_version", ..., "format_version: missing"),
        ("pooling", "max", "pooling: found 'max', expected 'mean', 'last' or 'attention'"),
        ("prompt", [], "prompt: found []"),
        ("prompt.chat", "yes", "prompt.chat: found 'yes'"),
        ("base.name", ..., "base.name: missing"),
        ("base.quantization", "8bit", "base.quantization: found '8bit'"),
        ("tasks", ..., "tasks: missing"),
        ("tasks", {}, "tasks: found {}"),
        ("tasks", [], "tasks: found []"),
        ("tasks.score", None, "tasks.score: found nothing"),
        ("tasks.score.kind", "regresion", "tasks.score.kind: found 'regresion', expected one of classification"),
        ("tasks.score.kind", ..., "tasks.score.kind: found nothing"),
        ("tasks.score.kind", ["regression"], "tasks.score.kind: found ['regression']"),
        ("tasks.score.text", 3, "tasks.score.text: found 3"),
        ("tasks.score.name", "other", "tasks.score.name: found 'other', expected 'score'"),
        ("tasks.score.std", float("nan"), "tasks.score.std: found no finite"),
        ("tasks.score.std", 0.0, "tasks.score.std: found no finite"),
        ("tasks.score.range", [1, -1], "tasks.score.std: found no finite mean, range"),
        ("tasks.score.range", [1], "tasks.score.range.1: missing"),
        ("tasks.score.extra", 1, "tasks.score.extra: unknown key"),
        ("tasks.polarity.classes", "abc", "tasks.polarity.classes: found 'abc'"),
        ("tasks.polarity.classes", ["a", "a", "b"], "tasks.polarity.classes: found 3 different names"),
        ("tasks.polarity.classes", [], "tasks.polarity.classes: found 0"),
        ("tasks.polarity.thresholds", [0.5], "tasks.polarity.thresholds: found 1, expected 2"),
        ("tasks.moods.thresholds", [0.5], "tasks.moods.thresholds: found 1, expected 2"),
        ("tasks.moods.format", "other", "tasks.moods.format: found 'other'"),
        ("tasks.title.beams", 0, "tasks.title.max_new_tokens: found no 1 or more"),
        ("tasks.title.beams", "2", "tasks.title.beams: found '2'"),
    ],
)
def test_each_key_is_checked(tmp_path, keys, value, message):
    found = damaged(tmp_path, json.dumps(put(keys, value)))
    assert f"equipoise.json: not a readable Equipoise model: {message}" in found


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "3", "null", b"\xff\xfe", "[" * 100_000, '{"a":' * 100_000, "NaN", '{"tasks": ' + "9" * 5000 + "}"],
)
def test_what_is_no_description(tmp_path, content):
    damaged(tmp_path, content)


def test_a_file_that_is_too_large_or_none(tmp_path):
    (tmp_path / "equipoise.json").write_bytes(b" " * 10_000_001)
    with pytest.raises(ModelError, match="found 10,000,001 bytes, expected 10,000,000 at most"):
        read_description(tmp_path / "equipoise.json")


_VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just([None])
_KEYS = [*WHOLE, *(f"tasks.{task.name}.{key}" for task in TASKS for key in WHOLE["tasks"][task.name])]


@given(st.sampled_from(_KEYS), _VALUES | st.dictionaries(st.text(max_size=3), _VALUES, max_size=2))
def test_any_value_of_any_key_is_read_or_refused(tmp_path_factory, keys, value):
    path = tmp_path_factory.getbasetemp() / "described.json"
    path.write_text(json.dumps(put(keys, value)))
    try:
        message = "" if read_description(path) else None
    except ModelError as error:
        message = str(error)
    assert message is not None
    assert len(message) <= MESSAGE_LIMIT


def test_load_checks_the_description(tiny_model, tmp_path):
    MultiTaskModel(*load_backbone(str(tiny_model)), {"score": TASKS[0]}, max_length=32).save_pretrained(tmp_path / "m")
    path = tmp_path / "m" / "equipoise.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {"max_length": -5}))
    with pytest.raises(ModelError, match=r"equipoise\.json: not a readable .*: max_length: found -5"):
        load(tmp_path / "m")
