"""Which files belong together: splits of one set, and files with the same columns."""

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from .file_facts import FileFacts

_SPLITS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("dev", "develop", "development", "valid", "validation", "val"), "dev"),
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation"), "test"),
}
_PART = re.compile(r"[^\W\d_]+")
_LONGEST_NAME = 60
_TAKEN = {"text", "pair", "given", "error"}


@dataclass
class FileSet:
    """Files that become one source.

    Attributes:
        name: what the source is called.
        files: the files by the source's key: "path", or "train", "dev" and "test".
    """

    name: str
    files: dict[str, list[FileFacts]] = field(default_factory=dict)

    @property
    def all_files(self) -> list[FileFacts]:
        """Its files."""
        return [file for files in self.files.values() for file in files]


def group_files(files: Sequence[FileFacts], notes: list[str]) -> list[FileSet]:
    """Return the sources that files make up.

    Files whose names differ in the name of a split, such as `reviews_train.csv` and `reviews_test.csv`, or that are
    called so in one folder, are the splits of one source if they have the same columns. Other files with the same
    columns are joined.

    Args:
        files: the files.
        notes: what is doubtful is added here.
    """
    names = Names()
    groups: defaultdict[tuple[str, frozenset[str]], dict[str, list[FileFacts]]] = defaultdict(lambda: defaultdict(list))
    rest: list[FileFacts] = []
    for file in files:
        split, stem = _find_split(file.path)
        if split:
            groups[f"{file.path.parent}/{stem}", frozenset(file.facts.columns)][split].append(file)
        else:
            rest.append(file)
    sets: list[FileSet] = []
    for (place, _), splits in groups.items():
        parts: dict[str, list[FileFacts]] = {key: splits[key] for key in ("train", "dev", "test") if key in splits}
        if "train" not in parts or len({_reading(file) for found in parts.values() for file in found}) > 1:
            rest += [file for found in parts.values() for file in found]
            continue
        folder, _, stem = place.rpartition("/")
        name = stem or Path(os.path.abspath(folder)).name
        sets.append(FileSet(names.make(name), parts if len(parts) > 1 else {"path": parts["train"]}))
    alike: defaultdict[tuple[frozenset[str], str], list[FileFacts]] = defaultdict(list)
    for file in rest:
        alike[frozenset(file.facts.columns), _reading(file)].append(file)
    for found in alike.values():
        if len(found) > 1:
            notes.append(f"{found[0].path.name} and {len(found) - 1} more have the same columns and are joined.")
        sets.append(FileSet(names.make(_common_name(found)), {"path": found}))
    order = {id(file): number for number, file in enumerate(files)}
    return sorted(sets, key=lambda one: min(order[id(file)] for file in one.all_files))


def _reading(file: FileFacts) -> str:
    """Return how a file is read, as text: a source has one way."""
    return repr((sorted(file.keys.items()), file.is_given))


def _find_split(path: Path) -> tuple[str, str]:
    """Return the split that a file's name says, and the name without it; "" where it says none."""
    for match in _PART.finditer(path.stem):
        split = _SPLITS.get(match.group().lower())
        if split:
            stem = path.stem[: match.start()].rstrip("-_. ") + path.stem[match.end() :]
            return split, stem.strip("-_. ")
    return "", path.stem


def _common_name(files: Sequence[FileFacts]) -> str:
    stems = [file.path.stem for file in files]
    alike = takewhile(lambda signs: len(set(signs)) == 1, zip(*stems, strict=False))
    common = "".join(signs[0] for signs in alike).rstrip("-_. 0123456789")
    return common if len(common) > 1 and len(stems) > 1 else stems[0]


class Names:
    """Makes names of sources and tasks, as run files accept them, each once.

    Args:
        taken: names that are not to be made.
    """

    def __init__(self, taken: Iterable[str] = _TAKEN) -> None:
        self._seen = set(map(_fold, taken))

    def make(self, wanted: str, otherwise: str = "") -> str:
        """Return a name.

        Args:
            wanted: what it should be like.
            otherwise: what it is like where that is taken; a number is added to the last.
        """
        for name in filter(None, map(_clean, (wanted, otherwise))):
            if self._take(name):
                return name
        base = _clean(otherwise) or _clean(wanted) or "set"
        number = 2 if _clean(wanted) else 1
        while not self._take(f"{base[: _LONGEST_NAME - 5]}_{number}"):
            number += 1
        return f"{base[: _LONGEST_NAME - 5]}_{number}"

    def _take(self, name: str) -> bool:
        if _fold(name) in self._seen:
            return False
        self._seen.add(_fold(name))
        return True


def _clean(name: str) -> str:
    words = re.sub(r"[^\w]+", "_", unicodedata.normalize("NFKC", name))
    kept = "".join(
        sign for sign in words if unicodedata.category(sign) not in ("Mn", "Cf", "Cs") and sign.isprintable()
    )
    return kept.strip("_")[:_LONGEST_NAME].strip("_")


def _fold(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
