"""What all tests share: no network, one thread, the starters, and a tiny random model."""

import os

# Read when torch and the Hugging Face libraries are imported, so set before that.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["MPLBACKEND"] = "Agg"
# One thread: sums come out the same on every machine, and two xdist workers do not fight for the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import string
from pathlib import Path

import hypothesis
import pytest

from equipoise import starter

# The same examples every time, and no time limit each: the machine may be busy.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("steady")

_WORDS = (
    "the a an and or but not no never very really quite too so i you it this that they we is was are were "
    "be been have had has do does did will would can in on at of to for with from my your his her its our "
    "good great fine nice happy love loved like liked best better excellent amazing wonderful perfect fun "
    "bad awful poor sad hate hated worst worse terrible horrible boring broken slow ugly wrong angry "
    "film movie plot actor product phone camera battery price service food staff place news market stock "
    "profit loss share company report sales growth law tax vote people day night time year work home"
)


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of the starter model."""
    return starter.fetch("minilm")


@pytest.fixture(scope="session")
def vader_corpus() -> Path:
    """The folder of the starter corpus, which holds corpus.jsonl."""
    return starter.fetch("vader")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random BERT (2 layers, width 32, 128 positions) and its word-piece tokenizer."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    signs = [*string.ascii_lowercase, *string.digits]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces += [*string.punctuation, *signs, *(f"##{sign}" for sign in signs), "##s", "##ed", "##ing", "##ly"]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys([*pieces, *_WORDS.split()]))}
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BertModel(config)
    folder = tmp_path_factory.mktemp("tiny-model")
    model.save_pretrained(folder)
    BertTokenizer(vocab=vocabulary, model_max_length=128).save_pretrained(folder)
    return folder
