"""Model folders that are none, or damaged."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from .case import Case, World

_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
_ASK = ("predict", "run", "good film", "--task", "polarity")


def _damaged(name: str, words: str, damage: Callable[[Path], object]) -> Case:
    return Case("model", name, words, _ASK, lambda world: damage(world.copy_run()))


def _described(name: str, words: str, **changes: Any) -> Case:
    """With other values in equipoise.json; `...` takes a key out."""

    def damage(model: Path) -> None:
        path = model / "equipoise.json"
        data = json.loads(path.read_text()) | changes
        path.write_text(json.dumps({key: value for key, value in data.items() if value is not ...}))

    return _damaged(name, f"equipoise.json: not a readable Equipoise model: {words}", damage)


def _base(name: str, words: str, damage: Callable[[Path], object]) -> Case:
    """A base model that is damaged, to be trained."""

    def prepare(world: World) -> None:
        shutil.copytree(world.model, world.folder / "base")
        damage(world.folder / "base")

    return Case("model", name, words, ("train", "run.yaml", "--set", "model=./base"), prepare)


def _configured(**changes: Any) -> Callable[[Path], None]:
    def damage(model: Path) -> None:
        path = model / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return damage


def _renamed(model: Path) -> None:
    weights = load_file(model / "model.safetensors")
    save_file({f"x.{name}": value for name, value in weights.items()}, model / "model.safetensors", {"format": "pt"})


def _rounded(model: Path) -> None:
    weights = load_file(model / "model.safetensors")
    name = "encoder.layer.0.output.dense.weight"
    weights[name] = weights[name].to(torch.int8)
    save_file(weights, model / "model.safetensors", {"format": "pt"})


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


CASES = [
    Case("model", "no such folder", "nowhere: does not exist", ("predict", "nowhere", "a")),
    Case("model", "no model's folder", "has no equipoise.json", ("predict", ".", "a")),
    Case("model", "a file", "data.csv: is a file, expected an Equipoise model", ("predict", "data.csv", "a")),
    Case("model", "an unfinished run", "has no equipoise.json", ("predict", "h", "a"), lambda w: w.write("h/x", "")),
    _damaged("an empty equipoise.json", "not valid JSON", lambda model: (model / "equipoise.json").write_text("")),
    _damaged("a list as equipoise.json", "not a readable", lambda model: (model / "equipoise.json").write_text("[]")),
    _damaged(
        "deep JSON", "nested too deeply", lambda model: (model / "equipoise.json").write_text("[" * 100_000)
    ),
    _damaged("no UTF-8", "not valid JSON", lambda model: (model / "equipoise.json").write_bytes(b"\xff\xfe{}")),
    _damaged("too large", "10,000,000 at most", lambda m: (m / "equipoise.json").write_bytes(b" " * 10_000_001)),
    _described("a negative length", "max_length: found -1", max_length=-1),
    _described("a length as text", "max_length: found '128'", max_length="128"),
    _described("a huge length", "max_length: found", max_length=10**30),
    _described("no length", "max_length: missing", max_length=...),
    _described("no tasks", "tasks: missing", tasks=...),
    _described("empty tasks", "tasks: found {}", tasks={}),
    _described("tasks as a list", "tasks: found []", tasks=[]),
    _described("a task without keys", "tasks.polarity", tasks={"polarity": {}}),
    _described("a task of no kind", "tasks.a.kind: found 'x'", tasks={"a": {"kind": "x"}}),
    _described("no such pooling", "pooling: found 'max'", pooling="max"),
    _described("NaN", "max_length: found", max_length=float("nan")),
    Case(
        "model",
        "a later version",
        "format_version is 99, this Equipoise reads up to 2; upgrade it",
        _ASK,
        lambda world: world.write(
            "run/model/equipoise.json",
            json.dumps(json.loads((world.copy_run() / "equipoise.json").read_text()) | {"format_version": 99}),
        ),
    ),
    _damaged("a flipped bit", "model.safetensors", lambda model: _flip(model / "backbone" / "model.safetensors")),
    _damaged("no heads", "task_modules.safetensors", lambda model: (model / "task_modules.safetensors").unlink()),
    _damaged("cut heads", "task_modules", lambda model: (model / "task_modules.safetensors").write_bytes(b"\0" * 9)),
    _damaged("no backbone", "backbone", lambda model: shutil.rmtree(model / "backbone")),
    _damaged("no tokenizer", "tokenizer", lambda model: (model / "backbone" / "tokenizer.json").unlink()),
    _base("an empty folder", "cannot be loaded", lambda model: (shutil.rmtree(model), model.mkdir())),
    _base("no weights", "cannot be loaded", lambda model: (model / "model.safetensors").unlink()),
    _base("weights that are cut", "base", lambda model: (model / "model.safetensors").write_bytes(b"\0" * 9)),
    _base("weights of another model", "holds no weights for", _renamed),
    _base("a broken configuration", "base", lambda model: (model / "config.json").write_text("{")),
    _base("an unknown architecture", "base", _configured(model_type="no-such-model")),
    _base("a negative width", "hidden_size: found -1", _configured(hidden_size=-1)),
    _base("a width of no whole number", "hidden_size", _configured(hidden_size="wide")),
    _base("a width of a billion", "hidden_size: found 1000000000", _configured(hidden_size=10**9)),
    _base("a width that no head divides", "base", _configured(hidden_size=33)),
    _base("a billion layers", "num_hidden_layers: found 1000000000", _configured(num_hidden_layers=10**9)),
    _base("no layers", "num_hidden_layers: found 0", _configured(num_hidden_layers=0)),
    _base("no heads of attention", "num_attention_heads: found 0", _configured(num_attention_heads=0)),
    _base("a vocabulary of a billion", "vocab_size: found 1000000000", _configured(vocab_size=10**9)),
    _base("positions without end", "base", _configured(max_position_embeddings=10**15)),
    _base("an activation that is none", "hidden_act: found 'gelo'", _configured(hidden_act="gelo")),
    _base("a shape that is another", "'embeddings.word_embeddings.weight' has the shape", _configured(vocab_size=50)),
    _base("an empty tokenizer", "tokenizer: 'added_tokens' is", lambda m: (m / "tokenizer.json").write_text("{}")),
    _base("a pointer as weights", "git lfs pull", lambda m: (m / "model.safetensors").write_text(_POINTER)),
    _base("whole numbers as weights", "found numbers of the type I8, expected one of", _rounded),
    _damaged("a pointer as heads", "git lfs pull", lambda m: (m / "task_modules.safetensors").write_text(_POINTER)),
    _base("no tokenizer for the base", "tokenizer", lambda model: [path.unlink() for path in model.glob("tok*")]),
    _base("code of its own", "base", _configured(auto_map={"AutoModel": "evil.Model", "AutoConfig": "evil.Config"})),
]  # fmt: skip
