"""The larger starter encoder, where it has been fetched: 405 MB are not downloaded for a test."""

import hashlib

import pytest
import torch

from equipoise.modeling import load_backbone, longest_input
from equipoise.starter import STARTERS, find_starter_folder, is_fetched

pytestmark = [
    pytest.mark.starter,
    pytest.mark.skipif(not is_fetched("mpnet-base"), reason="needs `equipoise fetch mpnet-base`"),
]


def test_the_folder_is_whole() -> None:
    folder, digests = find_starter_folder("mpnet-base"), STARTERS["mpnet-base"].digests
    assert {path.name for path in folder.iterdir()} == {*digests, "starter.json"}
    for path, digest in digests.items():
        with (folder / path).open("rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == digest, path


def test_it_loads_as_a_backbone_and_ranks_sentences() -> None:
    backbone, tokenizer = load_backbone("mpnet-base")
    assert backbone.config.hidden_size == 768
    assert longest_input(backbone) == tokenizer.model_max_length == 512
    texts = ["I love this camera.", "This camera is wonderful.", "The tax law was passed on Monday."]
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    assert batch["input_ids"][0].tolist()[:3] == [0, 1049, 2297]
    with torch.no_grad():
        states = backbone.eval()(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    pooled = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1))
    assert (pooled[0] @ pooled[1]).item() > 0.7
    assert (pooled[0] @ pooled[2]).item() < 0.2
