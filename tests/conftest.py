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
# What the commands print is as wide wherever the tests are run.
os.environ.pop("COLUMNS", None)

import json
import string
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from equipoise import starter

if TYPE_CHECKING:
    import torch

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


def pytest_configure(config: pytest.Config) -> None:
    """Hide all GPUs, but from the tests that ask for one: the others count on the CPU's bits, and some fork."""
    if "gpu" not in config.option.markexpr.replace("not gpu", ""):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a GPU where there is none."""
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.accelerator.is_available():
            pytest.skip("needs a GPU")


@pytest.fixture(params=["stand-in", pytest.param("gpu", marks=pytest.mark.gpu)])
def elsewhere(request: pytest.FixtureRequest) -> "Callable[[], AbstractContextManager[torch.device]]":
    """Another device than the CPU, as a context: its stand-in, or a GPU."""
    import other_device

    return other_device.gpu if request.param == "gpu" else other_device.other_device


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of the starter encoder."""
    return starter.fetch("minilm")


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The folder of the starter LLM."""
    return starter.fetch("smollm2-135m")


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


@pytest.fixture(scope="session")
def steady_model(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """The tiny BERT without dropout."""
    folder = tmp_path_factory.mktemp("steady")
    for file in tiny_model.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="session")
def tiny_llm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random Llama (2 layers, width 32, 512 positions), a byte-level tokenizer and a chat template."""
    import torch
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    special = ["<unk>", "<start>", "<end>"]
    signs = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [f"Ġ{word}" for word in dict.fromkeys(_WORDS.split())]  # Ġ is how a blank is written
    vocabulary = {token: index for index, token in enumerate([*special, *signs, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    # Known words behind a blank whole, everything else byte by byte.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            pre_tokenizers.Split(Regex(rf"(?:{'|'.join(words)})(?![a-z])|."), behavior="isolated"),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<start>", eos_token="<end>", pad_token="<end>"
    )
    fast.chat_template = (
        "{% for message in messages %}<start>{{ message['role'] }}\n{{ message['content'] }}<end>\n{% endfor %}"
        "{% if add_generation_prompt %}<start>assistant\n{% endif %}"
    )
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.1,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
    folder = tmp_path_factory.mktemp("tiny-llm")
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def model_to_export(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """The folder of a random model with tasks of all kinds that can be exported."""
    from exported import make_model

    folder = tmp_path_factory.mktemp("to-export") / "model"
    make_model(tiny_model).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def exported_model(tmp_path_factory: pytest.TempPathFactory, model_to_export: Path) -> Path:
    """The folder of its export; it is not to be changed."""
    from equipoise.exporting import export_onnx

    folder = tmp_path_factory.mktemp("exported") / "onnx"
    export_onnx(model_to_export, folder)
    return folder
