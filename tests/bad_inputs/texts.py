"""Texts and rows that `predict` cannot answer."""

import os

from .case import Case, World

_ASK = ("predict", "RUN", "--task", "polarity")
_STRICT = ("--strict",)


def _file(name: str, file: str, content: str | bytes, words: str, *options: str) -> Case:
    return Case("texts", name, words, (*_ASK, file, *options), lambda world: world.write(file, content))


def _given(name: str, words: str, *texts: str, code: int = 1, stdin: bytes = b"") -> Case:
    return Case("texts", name, words, (*_ASK, *texts), code=code, stdin=stdin)


def _pipe(world: World) -> None:
    os.mkfifo(world.folder / "pipe.txt")
    os.mkfifo(world.folder / "pipe.csv")


CASES = [
    _given("an empty text", "row 1: found an empty text", ""),
    _given("blanks alone", "row 2: found an empty text", "fine", " \t"),
    _given("three bad of four", "row 1, row 3, row 4: found an empty text", "", "fine", "", " "),
    _given("a byte that is not UTF-8", "row 1: found a byte that is not UTF-8 (0xe9)", "caf\udce9"),
    _given("half a character", "row 1: found half of a surrogate pair", "\ud83d"),
    _given("too long a text", "found a text of 1,000,001 characters", "x" * 1_000_001),
    _given("no such .txt", "It is read as a file because it ends in .txt", "nowhere.txt"),
    _given("no such .csv", "nowhere.csv: found no such file", "nowhere.csv"),
    _given("a folder", "is a file or folder, expected texts", ".", code=2),
    _given("a file of another ending", "run.yaml: is a file or folder, expected texts", "run.yaml", code=2),
    _given("two files", "data.csv: is a file or folder", "data.csv", "more.csv", code=2),
    _given("no UTF-8 on standard input", "standard input, line 1: found a byte that is not", "-", stdin=b"caf\xe9"),
    _given("an empty line, strictly", "standard input, line 2: found an empty text", "-", "--strict", stdin=b"a\n\nb"),
    _given("empty lines on standard input", "standard input, all 2 rows: found an empty text", "-", stdin=b"\n\n"),
    _given("nothing on standard input", "standard input: found no texts", "-"),
    _file("an empty text file", "new.txt", "", "new.txt: found no texts"),
    _given("no such task", "Did you mean 'polarity'?", "a", "--task", "plarity", code=2),
    _given("more prompts than templates", "prompts: found 3", "a", "--prompts", "3", code=2),
    _given("no batch", "--batch-size", "a", "--batch-size", "0", code=2),
    _given("a word for a number", "--batch-size", "a", "--batch-size", "many", code=2),
    _file("bad rows of a CSV file", "new.csv", "text,n\na,1\n,2\nb,3\n ,4\n", "new.csv, line 3, line 5", *_STRICT),
    _file("bad lines of a text file", "new.txt", "fine\n\ngood\n \n", "new.txt, line 2, line 4", *_STRICT),
    _file("no column of texts", "new.csv", "txt\nfine\ngood\n", "new.csv, line 1: no column 'text'"),
    _file("a list as text", "new.jsonl", '{"text": ["fine"]}\n', "new.jsonl, line 1: found ['fine'], expected a text"),
    _file("true as text", "new.jsonl", '{"text": true}\n', "new.jsonl, line 1: found True, expected a text"),
    _file("deep cells", "new.jsonl", '{"text": "a", "x": ' + "[" * 300 + "]" * 300 + "}", "nested too deeply"),
    _file("an empty CSV file", "new.csv", "", "new.csv: the file is empty"),
    _file("no UTF-8 in a text file", "new.txt", b"caf\xe9", "new.txt, line 1: found a byte that is not UTF-8 (0xe9)"),
    _file("UTF-16", "new.txt", "fine".encode("utf-16"), "new.txt, line 1: found a byte that is not UTF-8 (0xff)"),
    _file("broken JSON", "new.jsonl", '{"text": ', "new.jsonl, line 1"),
    _file("a broken archive", "new.csv.gz", b"\x1f\x8b\x08\0", "new.csv.gz: cannot be read"),
    _file("no archive", "new.jsonl.gz", b'{"text": "a"}', "new.jsonl.gz: cannot be read (Not a gzipped file"),
    _file("no Parquet", "new.parquet", b"PAR1", "new.parquet: not a readable Parquet file"),
    Case("texts", "a pipe .txt", "pipe.txt: found a pipe", (*_ASK, "pipe.txt"), _pipe),
    Case("texts", "a pipe .csv", "pipe.csv: found a pipe", (*_ASK, "pipe.csv"), _pipe),
    Case("texts", "a folder .txt", "new.txt: found a folder", (*_ASK, "new.txt"), lambda w: w.write("new.txt/x", "")),
    Case(
        "texts",
        "a link to itself",
        "a symbolic link that leads back to itself",
        (*_ASK, "loop.txt"),
        lambda world: (world.folder / "loop.txt").symlink_to("loop.txt"),
    ),
    Case(
        "texts", "a device as text file", "zero.txt: found a device", (*_ASK, "zero.txt"),
        lambda world: (world.folder / "zero.txt").symlink_to("/dev/zero"),
    ),
]  # fmt: skip
