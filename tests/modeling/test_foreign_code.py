import json
import shutil

import pytest
import torch

from equipoise.errors import ModelError
from equipoise.modeling import load_backbone
from equipoise.modeling.base_digest import changed_files, digest_base


@pytest.fixture
def folder(tiny_model, tmp_path):
    return shutil.copytree(tiny_model, tmp_path / "base")


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("config.json", {"AutoConfig": "mine.Config", "AutoModel": "mine.Model"}),
        ("tokenizer_config.json", {"AutoTokenizer": ["mine.Tokenizer", None]}),
    ],
)
@pytest.mark.parametrize("kind", ["bert", "mine"])
def test_code_that_a_model_brings_along_is_never_run(folder, tmp_path, monkeypatch, file, code, kind):
    (folder / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    config = json.loads((folder / file).read_text()) if (folder / file).exists() else {}
    (folder / file).write_text(json.dumps({**config, "auto_map": code}))
    model = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**model, "model_type": kind}))
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked"))
    with pytest.raises(ModelError, match=rf"{file}: found code that the model brings along .*never run"):
        load_backbone(str(folder))
    assert not (tmp_path / "ran").exists()


def test_a_pickle_is_not_read(folder):
    torch.save({"a": torch.ones(1)}, folder / "pytorch_model.bin")
    load_backbone(str(folder))  # safetensors lie beside it
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"pytorch_model\.bin: found weights that are no safetensors"):
        load_backbone(str(folder))


def test_another_base_under_the_same_name_is_told(folder):
    begun = digest_base(str(folder))
    assert changed_files(begun, digest_base(str(folder))) == []
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-5] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    assert changed_files(begun, digest_base(str(folder))) == ["model.safetensors"]
    assert changed_files(None, begun) == []
    assert digest_base("bilstm") is None
    assert digest_base("minilm") != digest_base("smollm2-135m")
