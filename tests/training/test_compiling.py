"""Training with a compiled backbone."""

import json
import re
import shutil

import pytest
import torch

from corpus import run_data, write_data
from equipoise.errors import ModelError
from equipoise.modeling import MultiTaskModel, compiled, load_backbone
from processes import train_without_dropout


def losses_of(folder):
    lines = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
    return [line["losses"] for line in lines if "losses" in line]


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")
def test_a_compiled_backbone_learns_the_same(tmp_path, steady_model):
    found = {}
    for name, settings in {"plain": {}, "compiled": {"compile": True, "freeze_layers": 1}}.items():
        (tmp_path / name).mkdir()
        data = run_data(tmp_path / name, steady_model, max_steps=3, evaluations=1, **({"freeze_layers": 1} | settings))
        train_without_dropout(write_data(tmp_path / name, data))
        found[name] = losses_of(tmp_path / name / "run")
    assert len(found["plain"]) == 3
    for plain, other in zip(*found.values(), strict=True):
        assert other == pytest.approx(plain, rel=1e-4)
        assert other != plain  # it is another computation


@pytest.mark.parametrize(
    ("found", "way_out"),
    [
        ("No working C++ compiler found", r"leave it out\."),
        ("CppCompileError: C++ compile error", r"leave it out, or call again if it was stopped \(Ctrl-C\)\."),
        (
            "ImportError: /tmp/x.so: file too short",
            "leave it out, or remove .+, where an earlier compiler that was stopped",
        ),
    ],
)
def test_what_cannot_be_compiled_is_said_in_one_line(tiny_model, monkeypatch, found, way_out):
    from torch._dynamo.exc import TorchDynamoException

    def compile_badly(forward, dynamic):
        def fail(*args, **options):
            raise TorchDynamoException(f"{found}\nsecond line")

        return fail

    monkeypatch.setattr(torch, "compile", compile_badly)
    model = MultiTaskModel(*load_backbone(str(tiny_model)), {}, 16)
    forward = model.extractor.forward
    inputs = {"input_ids": torch.ones(1, 3, dtype=torch.long), "attention_mask": torch.ones(1, 3, dtype=torch.long)}
    message = rf"train\.compile: BertModel cannot be compiled here .*{re.escape(found)}\); {way_out}"
    with pytest.raises(ModelError, match=message), compiled(model):
        model(inputs)
    assert model.extractor.forward == forward


def test_other_errors_pass_through(tiny_model, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda forward, dynamic: forward)
    model = MultiTaskModel(*load_backbone(str(tiny_model)), {}, 16)
    with pytest.raises(KeyError), compiled(model):
        raise KeyError("own")
    assert "forward" not in vars(model.extractor)
