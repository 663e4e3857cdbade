"""How a backbone attends on CPUs."""

import pytest
from transformers import AutoModel

from equipoise.modeling import load_backbone, plain_attention


@pytest.mark.parametrize(("longest", "expected"), [(192, "eager"), (193, "sdpa")])
def test_short_rows_attend_by_plain_products_for_a_while(tiny_llm, longest, expected):
    backbone, _ = load_backbone(str(tiny_llm))
    with plain_attention(backbone, longest):
        assert backbone.config._attn_implementation == expected
    assert backbone.config._attn_implementation == "sdpa"


def test_a_choice_of_ones_own_stays(tiny_model):
    backbone = AutoModel.from_pretrained(tiny_model, attn_implementation="eager")
    with plain_attention(backbone, 32):
        assert backbone.config._attn_implementation == "eager"
    assert backbone.config._attn_implementation == "eager"
