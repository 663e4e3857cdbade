"""What a merge does with every tensor of every kind of expert, and how far the result is from the plain average.

Two experts of each kind are made of tiny models with random weights and merged by `linear`. The table counts their
tensors by what became of them; `off` is the largest difference between a number of the result and the same number of
the average that transformers and peft give without us.

    python benchmarks/merge_accounting.py [--names] [--quick]

`--names` lists every tensor. `--quick` changes nothing: it takes a minute as it is.
"""

import argparse
import contextlib
import json
import shutil
import string
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from peft import IA3Config, LoHaConfig, LoraConfig, PeftConfig, PeftModel, get_peft_model
from safetensors import safe_open
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from equipoise.data import ChatStyle
from equipoise.kinds import Classification, Task
from equipoise.merging import Fate, Merge, load_with_head, merge
from equipoise.modeling import MultiTaskModel, add_adapter, load_backbone

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 128,
}
EXPERTS = ("a", "b")


def make_bases(folder: Path) -> None:
    """Write three bases: an encoder, a decoder whose embeddings are tied, a decoder whose embeddings are not."""
    torch.manual_seed(0)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = {word: number for number, word in enumerate([*special, *string.printable])}
    BertModel(BertConfig(vocab_size=len(words), **SIZES)).save_pretrained(folder / "encoder")
    BertTokenizer(vocab=words, model_max_length=128).save_pretrained(folder / "encoder")
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", eos_token="[SEP]", pad_token="[PAD]")
    for name in ("decoder", "untied decoder"):
        config = LlamaConfig(vocab_size=len(words), tie_word_embeddings=name == "decoder", **SIZES)
        LlamaForCausalLM(config).save_pretrained(folder / name)
        fast.save_pretrained(folder / name)


def changed(model: nn.Module, seed: int, names: tuple[str, ...] = ("",)) -> nn.Module:
    """Change all parameters whose names contain one of these, as training does."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if any(part in name for part in names):
                parameter.add_(torch.randn_like(parameter) * 0.01)
    return model


@dataclass(frozen=True)
class Kind:
    """A kind of expert.

    Args:
        make: writes an expert: its folder, its base, a seed.
        base: which of the bases.
        load: the class of transformers by which its weights are read for the plain average.
        told: say the base.
    """

    make: Callable[[Path, Path, int], None]
    base: str = "encoder"
    load: str = "BertModel"
    told: bool = False


def of_ours(base: str, load: str, *, lora: bool = False, prompted: bool = False) -> Kind:
    """A model as `equipoise train` saves it."""

    def make(folder: Path, base: Path, seed: int) -> None:
        torch.manual_seed(seed)
        form = "prompt" if prompted else "head"
        task: Task = Classification(f"task{seed}", "source", "text", None, "label", "macro_f1", ("0", "1"), format=form)
        backbone, tokenizer = load_backbone(str(base), language_model=prompted)
        if lora:
            add_adapter(backbone, rank=4)
        style = ChatStyle(chat=False)
        model = MultiTaskModel(
            backbone, tokenizer, {task.name: task}, 64, style=style, base=str(base) if lora else None
        )
        changed(model.backbone, seed, ("lora_B",) if lora else ("",))
        model.save_pretrained(folder)

    return Kind(make, base, load, told=not lora)


def of_transformers(base: str, load: str, names: tuple[str, ...] = ("",), **options: Any) -> Kind:
    """A checkpoint of transformers."""

    def make(folder: Path, base: Path, seed: int) -> None:
        torch.manual_seed(seed)
        model = getattr(transformers, load).from_pretrained(str(base))
        changed(model, seed, names).save_pretrained(folder, **options)
        for file in base.glob("tokenizer*"):
            shutil.copy(file, folder)

    return Kind(make, base, load, told=True)


def of_peft(base: str, load: str, settings: Any, names: tuple[str, ...], task_type: str | None = None) -> Kind:
    """An adapter of peft; `task_type` is given to an adapter without a head."""

    def make(folder: Path, base: Path, seed: int) -> None:
        torch.manual_seed(seed)
        model = getattr(transformers, load).from_pretrained(str(base))
        adapted = changed(get_peft_model(model, settings()), seed, names)
        adapted.save_pretrained(folder, save_embedding_layers=False)
        if task_type is not None:
            # As an adapter is saved whose classifier was not trained.
            file = folder / "adapter_config.json"
            file.write_text(json.dumps({**json.loads(file.read_text()), "task_type": task_type, "auto_mapping": None}))

    return Kind(make, base, load)


def lora(targets: str = "q_proj v_proj", **options: Any) -> Callable[[], LoraConfig]:
    return lambda: LoraConfig(r=4, target_modules=targets.split(), **options)


FACTORS = ("lora_B",)
KINDS: dict[str, Kind] = {
    "ours, encoder, full": of_ours("encoder", "BertModel"),
    "ours, encoder, LoRA": of_ours("encoder", "BertModel", lora=True),
    "ours, decoder, full": of_ours("decoder", "LlamaModel"),
    "ours, decoder, LoRA": of_ours("decoder", "LlamaModel", lora=True),
    "ours, prompted, full": of_ours("decoder", "LlamaForCausalLM", prompted=True),
    "ours, prompted, LoRA": of_ours("decoder", "LlamaForCausalLM", lora=True, prompted=True),
    "checkpoint, encoder": of_transformers("encoder", "BertModel"),
    "checkpoint, decoder": of_transformers("decoder", "LlamaForCausalLM"),
    "checkpoint, untied": of_transformers("untied decoder", "LlamaForCausalLM"),
    "checkpoint, shards": of_transformers("decoder", "LlamaForCausalLM", max_shard_size="20KB"),
    "checkpoint, one layer": of_transformers("encoder", "BertModel", ("layer.1.",)),
    "classifier, texts": of_transformers("encoder", "BertForSequenceClassification"),
    "classifier, tokens": of_transformers("encoder", "BertForTokenClassification"),
    "masked words": of_transformers("encoder", "BertForMaskedLM"),
    "LoRA": of_peft("decoder", "LlamaForCausalLM", lora(task_type="CAUSAL_LM"), FACTORS),
    "LoRA, no task_type": of_peft("decoder", "LlamaForCausalLM", lora(), FACTORS),
    "LoRA, classifier": of_peft("encoder", "BertForSequenceClassification", lora("query value"), FACTORS, "SEQ_CLS"),
    "rsLoRA, ranks": of_peft(
        "decoder",
        "LlamaForCausalLM",
        lora(use_rslora=True, rank_pattern={"q_proj": 2}, alpha_pattern={"v_proj": 3}),
        FACTORS,
    ),
    "DoRA": of_peft("decoder", "LlamaForCausalLM", lora(use_dora=True, task_type="CAUSAL_LM"), (*FACTORS, "magnitude")),
    "PiSSA": of_peft("decoder", "LlamaForCausalLM", lora(init_lora_weights="pissa"), FACTORS),
    "modules_to_save": of_peft(
        "untied decoder",
        "LlamaForCausalLM",
        lora(modules_to_save=["embed_tokens", "lm_head"]),
        (*FACTORS, "modules_to_save"),
    ),
    "IA3": of_peft(
        "decoder",
        "LlamaForCausalLM",
        lambda: IA3Config(target_modules=["v_proj", "down_proj"], feedforward_modules=["down_proj"]),
        ("ia3_l",),
    ),
    "LoHa": of_peft("decoder", "LlamaForCausalLM", lambda: LoHaConfig(r=2, target_modules=["q_proj"]), ("hada",)),
}


def weights_of(folder: Path, kind: Kind, base: Path) -> dict[str, Tensor]:
    """Read weights by transformers and peft alone."""
    loader: type[PreTrainedModel] = getattr(transformers, kind.load)
    place = next((folder / name for name in ("adapter", "backbone") if (folder / name).is_dir()), folder)
    if (place / "adapter_config.json").is_file():
        torch.manual_seed(0)  # heads that no file holds
        settings = PeftConfig.from_pretrained(str(place))
        settings.task_type = None  # else peft wants the head, too
        whole = loader.from_pretrained(str(base))
        model: Any = PeftModel.from_pretrained(whole, str(place), config=settings).merge_and_unload()
    else:
        model = loader.from_pretrained(str(place))
    named = {name: tensor.detach() for name, tensor in model.named_parameters()}
    return {name: named[name] for name in named if place == folder or "pooler" not in name}


def distance(made: Merge, kind: Kind, base: Path, folders: list[Path]) -> float:
    """The largest difference between the result and the plain average; heads that were kept are compared as such."""
    own = [weights_of(folder, kind, base) for folder in folders]
    apart = {fate.place.split("/", 2)[2] for fate in made.tensors if fate.place.startswith("heads/")}
    found = [weights_of(made.folder, kind, base)] * 2
    if apart:
        found = [dict(load_with_head(made.folder, name).named_parameters()) for name in EXPERTS]
    worst = 0.0
    for expert, result in zip(own, found, strict=True):
        for name, tensor in result.items():
            is_own = name in apart or name.partition(".")[2] in apart
            expected = expert[name] if is_own else sum(one[name] for one in own) / len(own)
            worst = max(worst, float((tensor - expected).detach().abs().max()))
    return worst


def keys_of(folder: Path) -> set[str]:
    """All tensors in an expert's files, as FILE:NAME."""
    found = set()
    for path in folder.rglob("*.safetensors"):
        with safe_open(path, "pt") as file:
            found |= {f"{path.relative_to(folder)}:{key}" for key in file.keys()}  # noqa: SIM118
    return found


def measure(name: str, folder: Path) -> tuple[dict[str, Any], Merge]:
    """Make two experts of a kind, merge them, and count."""
    kind = KINDS[name]
    base, own = folder / kind.base, folder / name.replace(", ", "-").replace(" ", "-")
    folders = [own / expert for expert in EXPERTS]
    for seed, expert in enumerate(folders, 1):
        kind.make(expert, base, seed)
    made = merge(folders, own / "merged", base=str(base) if kind.told else None)
    listed = {(one.expert, f"{one.file}:{one.name}") for one in made.tensors}
    there = {(expert, key) for expert in EXPERTS for key in keys_of(own / expert)}
    row: dict[str, Any] = {"tensors": len(there), "lost": len(there ^ listed) + len(made.tensors) - len(listed)}
    row |= {fate.value: sum(one.fate is fate for one in made.tensors) for fate in Fate}
    return row | {"form": made.form, "off": distance(made, kind, base, folders)}, made


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    shown = ("tensors", "merged", "unchanged", "kept", "tied", "lost")
    lines = [f"{'two experts each':24}" + "".join(f"{name:>11}" for name in shown) + f"{'form':>9}{'off':>9}"]
    for name, row in rows.items():
        counts = "".join(f"{row[key]:11}" for key in shown)
        lines.append(f"{name:24}{counts}{row['form']:>9}{row['off']:9.1g}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--names", action="store_true", help="list every tensor")
    parser.add_argument("--quick", action="store_true", help="the same: it takes a minute")
    chosen = parser.parse_args(arguments)
    rows, listed = {}, {}
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        make_bases(Path(folder))
        for name in KINDS:
            print(name)
            rows[name], made = measure(name, Path(folder))
            listed[name] = made.tensors
    if chosen.names:
        for name, tensors in listed.items():
            print(f"{name}:")
            for one in tensors:
                print(f"  {one.expert}  {one.fate.value:9}  {one.file}:{one.name} -> {one.place or '-'}")
    print(table(rows))
    print("\n" + json.dumps({"benchmark": "merge_accounting", "results": rows, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
