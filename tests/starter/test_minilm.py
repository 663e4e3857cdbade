"""The real starter model loads offline, and means something."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModel, AutoTokenizer


@pytest.mark.starter
def test_it_loads_and_ranks_sentences(minilm: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(minilm)
    model = AutoModel.from_pretrained(minilm).eval()
    assert model.config.hidden_size == 384
    assert sum(parameter.numel() for parameter in model.parameters()) == 22_713_216
    texts = ["I love this camera.", "This camera is wonderful.", "The tax law was passed on Monday."]
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    assert batch["input_ids"][0].tolist()[:3] == [101, 1045, 2293]
    with torch.no_grad():
        states = model(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    pooled = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1))
    near, far = (pooled[0] @ pooled[1]).item(), (pooled[0] @ pooled[2]).item()
    assert near > 0.7
    assert far < 0.2


def test_the_tiny_model_loads_and_knows_its_words(tiny_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    model = AutoModel.from_pretrained(tiny_model).eval()
    batch = tokenizer(["Good film, bad plot!", "Unbelievably 20% slower"], padding=True, return_tensors="pt")
    assert tokenizer.unk_token_id not in batch["input_ids"]
    assert tokenizer.convert_ids_to_tokens(batch["input_ids"][0])[:4] == ["[CLS]", "good", "film", ","]
    assert tokenizer.model_max_length == model.config.max_position_embeddings == 128
    assert 200 <= len(tokenizer) == model.config.vocab_size <= 500
    with torch.no_grad():
        assert model(**batch).last_hidden_state.shape == (*batch["input_ids"].shape, 32)
