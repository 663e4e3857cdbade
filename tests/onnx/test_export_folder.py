"""What an exported model's folder may hold, and what is refused."""

import json
import shutil

import numpy as np
import pytest

import equipoise
import onnx
from equipoise.digests import digest_file
from equipoise.errors import MESSAGE_LIMIT, ModelError, UsageError
from equipoise.onnx import GRAPH, MARK, TOKENIZER, load_onnx
from onnx import TensorProto, helper


@pytest.fixture
def folder(tmp_path, exported_model):
    return shutil.copytree(exported_model, tmp_path / "onnx")


def change(folder, **changes):
    facts = json.loads((folder / MARK).read_text())
    (folder / MARK).write_text(json.dumps({**facts, **changes}))


def put_graph(folder, content):
    """Put another graph into the folder, with its digest."""
    (folder / GRAPH).write_bytes(content)
    facts = json.loads((folder / MARK).read_text())
    change(folder, files={**facts["files"], GRAPH: digest_file(folder / GRAPH)})


def refusal(folder):
    with pytest.raises(ModelError) as caught:
        equipoise.load(folder)
    assert len(str(caught.value)) <= MESSAGE_LIMIT
    return str(caught.value)


def make_graph(node="Add", domain="", location=None):
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4])
    if location is None:
        weight.raw_data = np.zeros(4, np.float32).tobytes()
    else:
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value=location)
    shape = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in ("input_ids", "answers_0")]
    graph = helper.make_graph(
        [helper.make_node(node, ["input_ids", "w"], ["answers_0"], domain=domain)], "g", shape[:1], shape[1:], [weight]
    )
    imports = [helper.make_opsetid("", 17), *([helper.make_opsetid(domain, 1)] if domain else [])]
    return helper.make_model(graph, opset_imports=imports, ir_version=8).SerializeToString()


def test_the_folder_holds_nothing_else(exported_model):
    assert sorted(path.name for path in exported_model.iterdir()) == [GRAPH, MARK, TOKENIZER]
    facts = json.loads((exported_model / MARK).read_text())
    assert facts["precision"] == "fp32"
    assert set(facts["files"]) == {GRAPH, TOKENIZER}
    onnx.checker.check_model(str(exported_model / GRAPH))


@pytest.mark.parametrize("name", [GRAPH, TOKENIZER])
def test_a_damaged_file_is_found(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    assert f"{name}: not a readable exported model: the file is damaged" in refusal(folder)
    (folder / name).unlink()
    assert "no such file" in refusal(folder)


def test_a_file_without_a_digest_is_refused(folder):
    change(folder, files={TOKENIZER: digest_file(folder / TOKENIZER)})
    assert f"files: '{GRAPH}' is missing" in refusal(folder)


def test_keys_are_checked(folder):
    change(folder, precision="int3")
    assert "precision: found 'int3'" in refusal(folder)
    change(folder, precision="int8", format_version=99)
    assert "format_version is 99" in refusal(folder)


def test_tensors_in_other_files_are_never_read(folder, tmp_path):
    secret = tmp_path / "secret.bin"
    np.zeros(4, np.float32).tofile(secret)
    np.zeros(4, np.float32).tofile(folder / "inside.bin")
    for location in (str(secret), "../secret.bin", "inside.bin"):
        put_graph(folder, make_graph(location=location))
        assert "keeps tensors in other files" in refusal(folder)


def test_operators_of_others_are_refused(folder):
    put_graph(folder, make_graph("Anything", "some.domain"))
    assert "not a readable graph" in refusal(folder)


def test_a_graph_of_something_else_is_refused(folder):
    put_graph(folder, make_graph())
    assert "has no output 'answers_1'" in refusal(folder)
    put_graph(folder, b"no graph")
    assert "not a readable graph" in refusal(folder)


def test_where_there_is_no_export(tmp_path, exported_model):
    with pytest.raises(ModelError, match="found no exported model"):
        load_onnx(tmp_path)
    with pytest.raises(UsageError, match="device: found 'cuda', expected cpu"):
        equipoise.load(exported_model, "cuda")


def test_without_onnxruntime_the_extra_is_named(exported_model, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(UsageError, match=r"equipoise\[onnx\]"):
        equipoise.load(exported_model)
