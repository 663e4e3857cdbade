import pytest
import torch

from equipoise.errors import ModelError
from equipoise.modeling import load_backbone, quantizing


@pytest.mark.parametrize(
    ("gpu", "package", "message"),
    [
        (False, False, r"needs a GPU and the package bitsandbytes \(pip install bitsandbytes\), found none here"),
        (False, True, "needs a GPU, found none here"),
        (True, False, "needs the package bitsandbytes .*, found none here"),
    ],
)
def test_what_four_bits_lack_is_named(monkeypatch, tiny_llm, gpu, package, message):
    monkeypatch.setattr(quantizing, "choose_device", lambda: torch.device("cuda" if gpu else "cpu"))
    monkeypatch.setattr(quantizing, "find_spec", lambda name: object() if package else None)
    with pytest.raises(ModelError, match=f"quantization: 4bit {message}"):
        load_backbone(str(tiny_llm), quantization="4bit")


def test_what_starts_from_nothing_is_refused():
    with pytest.raises(ModelError, match="quantization: 'bilstm' starts from nothing"):
        load_backbone("bilstm", ["good film"], quantization="4bit")


def test_a_model_in_full_is_not_taken_for_quantised(tiny_llm):
    backbone, _ = load_backbone(str(tiny_llm))
    assert not quantizing.is_quantized(backbone)
