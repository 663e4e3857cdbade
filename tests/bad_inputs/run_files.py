"""Run files that cannot be read, or ask for what does not exist."""

import json
import os
from collections.abc import Callable
from typing import Any

from .case import TRAIN, Case, World


def _text(name: str, content: str | bytes, words: str, code: int = 2) -> Case:
    return Case("run file", name, words, prepare=lambda world: world.write("run.yaml", content), code=code)


def _link(name: str, make: Callable[[World], object], file: str, words: str) -> Case:
    return Case("run file", name, words, ("train", file), make, code=2)


def _changed(name: str, words: str, code: int = 2, **changes: Any) -> Case:
    def prepare(world: World) -> None:
        world.write("run.yaml", json.dumps(world.run(**changes)))

    return Case("run file", name, words, prepare=prepare, code=code)


def _set(name: str, words: str, *overrides: str, code: int = 2) -> Case:
    options = [part for override in overrides for part in ("--set", override)]
    return Case("run file", name, words, (*TRAIN, *options), code=code)


_LAUGHS = "\n".join(["a0: &a0 [x]"] + [f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]" for n in range(9)])
_MAPS = "\n".join(
    ["a0: &a0 {x: y}"]
    + [f"a{n + 1}: &a{n + 1} {{{', '.join(f'k{k}: *a{n}' for k in range(10))}}}" for n in range(9)]
    + ["balance: {name: dao, clip: *a9}"]
)
_MERGED = "\n".join(
    ["a0: &a0 {x: y}"] + [f"a{n + 1}: &a{n + 1} {{<<: [{', '.join([f'*a{n}'] * 10)}]}}" for n in range(9)]
)
_TASK = {"source": "s", "kind": "regression"}

CASES = [
    Case(
        "run file",
        "so many unknown keys that not all are shown",
        "more.\nrun.yaml: ",
        prepare=lambda world: world.write("run.yaml", json.dumps(world.run(**{f"unknown_{n}": n for n in range(9)}))),
        code=2,
    ),
    _text("an empty file", "", "found nothing, expected keys"),
    _text("a list", "- a", "found a list, expected keys"),
    _text("a text", "hello", "expected keys"),
    _text("no UTF-8", b"model: \xff", "byte 7 is not UTF-8"),
    _text("UTF-16", "model: minilm".encode("utf-16"), "is not UTF-8"),
    _text("control characters", "model: a\x1b[31m", "not valid YAML"),
    _text("a tab before a key", "\tmodel: minilm", "not valid YAML"),
    _text("an open bracket", "tasks: [", "not valid YAML"),
    _text("two documents", "a: 1\n---\nb: 2", "not valid YAML: expected a single document"),
    _text("a key twice", "model: a\nmodel: b", "line 2: key 'model' is given twice"),
    _text("an alias in its own anchor", "tasks: &a {b: *a}", "stands inside its own anchor"),
    _text("a merge of itself", "tasks: &a {<<: *a}", "stands inside its own anchor"),
    _text("an unknown alias", "tasks: *nowhere", "found undefined alias"),
    _text("a bomb of lists", _LAUGHS, "more than 50,000 values"),
    _text("a bomb of options", _MAPS, "more than 50,000 values"),
    _text("a bomb of merge keys", _MERGED, "more than 50,000 values"),
    _text("brackets without end", "[" * 100_000, "nested too deeply"),
    _text("braces without end", "{" * 100_000, "nested too deeply"),
    _text("dashes without end", "- " * 100_000, "nested too deeply"),
    _text("a number of 100,000 digits", "train: {seed: " + "9" * 100_000 + "}", "a number of 100,000 digits"),
    _text("a tag that runs code", "output: !!python/object/apply:os.system [ls]", "found the tag !!python"),
    _text("a binary tag", "output: !!binary aGk=", "found the tag !!binary"),
    _text("a date that is none", "output: 2024-13-41", "month must be in 1..12"),
    _text("half a character", 'output: "\\ud83d"', "half a character"),
    _text("too large a file", b"#" * 1_000_001, "found 1,000,001 bytes, expected 1,000,000 at most"),
    _text("a word of 200,000 letters", "x" * 200_000, "expected keys"),
    _link("no file", lambda world: None, "nowhere.yaml", "nowhere.yaml: cannot read the run file"),
    _link("a folder", lambda world: world.write("folder/file", ""), "folder", "found a folder"),
    _link("a pipe", lambda world: os.mkfifo(world.folder / "pipe.yaml"), "pipe.yaml", "pipe.yaml: found a pipe"),
    _link("a device", lambda world: None, "/dev/zero", "/dev/zero: found a device"),
    _link(
        "a link to itself",
        lambda world: (world.folder / "loop.yaml").symlink_to("loop.yaml"),
        "loop.yaml",
        "a symbolic link that leads back to itself",
    ),
    _link("a file as folder", lambda world: None, "data.csv/run.yaml", "Not a directory"),
    _link("too long a name", lambda world: None, "x" * 5000, "File name too long"),
    _link("a null character in the path", lambda world: None, "a\0b", "'RUN_FILE': embedded null byte"),
    _link("half a character in the path", lambda world: None, "\ud83d.yaml", "'RUN_FILE': 'utf-8' codec"),
    _link("a path that is not UTF-8", lambda world: None, "caf\udce9.yaml", "caf\\udce9.yaml: cannot read the run"),
    _link("an emoji that is no file", lambda world: None, "😀.yaml", "😀.yaml: cannot read the run file"),
    _changed("no tasks", "tasks: found none", tasks={}),
    _changed("no sources", "'s' is not a source. There are none.", sources={}),
    _changed("an unknown key", "modle: unknown key. Did you mean 'model'?", modle="minilm"),
    _changed("a task of 300 letters", "expected 60 characters at most", tasks={"x" * 300: _TASK}),
    _changed("a task with a slash", "expected letters, digits, - and _ only", tasks={"../x": _TASK}),
    _changed("a task without a name", "expected letters, digits, - and _ only", tasks={"": _TASK}),
    _changed("tasks that differ in capitals", "found the names 'a' and 'A'", tasks={"a": _TASK, "A": _TASK}),
    _changed("tasks that read the same", "found the names 'a' and '\\uff41'", tasks={"a": _TASK, "ａ": _TASK}),
    _changed("a source with a line break", "expected letters, digits", sources={"a\nb": {"path": "data.csv"}}),
    _changed("a path with a null character", "sources.s.path: found a path with", sources={"s": {"path": "a\0b"}}),
    _changed("no such data", "nowhere.csv: found no such file", code=1, sources={"s": {"path": "nowhere.csv"}}),
    _changed("no such model", "nowhere does not exist", code=1, model="./nowhere"),
    _changed("a model that is a file", "data.csv", code=1, model="./data.csv"),
    _changed("a model with a null character", "model: found a path with a null character", model="./a\0b"),
    _changed("a model of 300 letters", "model: 'aaaa", code=1, model="a" * 300),
    _changed("a model with a line break", "cannot be loaded", code=1, model="a\nb"),
    _changed("a model without a name", "model: ''", code=1, model=""),
    _changed("a model that is an address", "cannot be loaded", code=1, model="http://x/y"),
    _changed("a model that holds the output", "lies in the input model", code=1, model=".."),
    _changed("fifty problems", "more.", train={f"key{number}": number for number in range(50)}),
    _set("no value", "expected KEY=VALUE", "train.epochs"),
    _set("an unknown key in --set", "train.epoch: unknown key. Did you mean 'epochs'?", "train.epoch=1"),
    _set("an unknown balancer", "there is no balancer 'daoo'. Did you mean 'dao'", "balance=daoo"),
    _set("an option that no balancer has", "has no option", "balance.x=1"),
    _set("an infinite number", "expected a finite number", "train.epochs=.inf"),
    _set("a negative number", "train.batch_size: found -1", "train.batch_size=-1"),
    _set("a huge number", "expected less than or equal to 1000000000", "train.batch_size=1000000000000"),
    _set("a huge rank", "lora.rank: found 100000", "lora.rank=100000"),
    _set("brackets without end in --set", "nested too deeply", "tasks=" + "[" * 100_000),
    _set("a bomb in --set", "more than 50,000 values", "x={" + _LAUGHS.replace("\n", ", ") + "}"),
    _set("a key of 1,000 levels", "found a key of 1000 levels", ".".join(["a"] * 1000) + "=1"),
    _set("a key below a value", "which has no keys of its own", "output=x", "output.y=1"),
    _set("an unset variable", "the environment variable NO_SUCH_VARIABLE is not set", "output=${NO_SUCH_VARIABLE}"),
    _set("an unknown home", "the home folder of '~nobody-here' is not known", "output=~nobody-here/x"),
    _set("two problems", "unknown key", "train.sed=1", "train.epochs=-1"),
]
