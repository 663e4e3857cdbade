"""The shape of the code: what the README of the house, docs/architecture.md, promises."""

import ast
from collections.abc import Iterator
from pathlib import Path

import equipoise
from equipoise.kinds import list_kinds

ROOT = Path(equipoise.__file__).parent
TASKS = {kind.task.__name__ for kind in list_kinds().values()}
VALUES = {*list_kinds(), "head", "prompt"}
LAYERS = (
    "kinds",
    "config",
    "starter",
    "data",
    "proposing",
    "predicting",
    "streaming",
    "onnx",
    "modeling",
    "balancing",
    "curriculum",
    "auditing",
    "evaluation",
    "workspace",
    "studies",
    "exporting",
    "reporting",
    "training",
    "sklearn",
    "experts",
    "merging",
    "evolution",
    "comparison",
    "affinity",
    "tuning",
    "serving",
    "testing",
    "cli",
)
"""The packages, each of which imports only from those before it."""


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> Iterator[tuple[int, list[str]]]:
    """The line and the parts of the name of each module of ours that is imported, wherever the import stands."""
    for node in ast.walk(tree):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            if name.split(".")[0] == "equipoise":
                yield node.lineno, name.split(".")[1:]


def is_ladder(node: ast.AST) -> bool:
    """Whether a test asks which kind of task it has, or in which format."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "issubclass"):
        return any(isinstance(part, ast.Name) and part.id in TASKS for part in ast.walk(node.args[1]))
    if not isinstance(node, ast.Compare):
        return isinstance(node, ast.MatchClass) and isinstance(node.cls, ast.Name) and node.cls.id in TASKS
    sides = [node.left, *node.comparators]
    asks = any(isinstance(side, ast.Attribute) and side.attr in ("kind", "format") for side in sides)
    constants = {part.value for side in sides for part in ast.walk(side) if isinstance(part, ast.Constant)}
    return asks and bool(constants & VALUES)


def test_a_ladder_is_seen():
    ladders = (
        "isinstance(task, Classification | Regression)",
        "task.kind == 'generation'",
        "t.format not in ('head',)",
    )
    assert all(any(map(is_ladder, ast.walk(ast.parse(code)))) for code in ladders)
    others = ("isinstance(task, Task)", "entry.kind == 'corpus'", "task.kind == other.kind")
    assert not any(any(map(is_ladder, ast.walk(ast.parse(code)))) for code in others)


def test_what_is_known_of_a_kind_of_task_lives_in_the_kind():
    found = [
        f"{path}:{node.lineno}"  # type: ignore[attr-defined]
        for path, tree in modules()
        if path.parts[0] != "kinds"
        for node in ast.walk(tree)
        if is_ladder(node)
    ]
    assert found == []


def test_packages_are_used_through_their_face():
    found = [
        f"{path}:{line} imports {'.'.join(name)}"
        for path, tree in modules()
        for line, name in imports(tree)
        if len(name) > 1 and name[0] != path.parts[0] and (ROOT / name[0]).is_dir()
    ]
    assert found == []


def test_a_package_imports_only_from_those_before_it():
    found = [
        f"{path}:{line} imports {name[0]}"
        for path, tree in modules()
        for line, name in imports(tree)
        if name
        and path.parts[0] in LAYERS
        and name[0] in LAYERS
        and LAYERS.index(name[0]) > LAYERS.index(path.parts[0])
    ]
    assert found == []
    assert {path.parts[0] for path, _ in modules() if len(path.parts) > 1} == set(LAYERS)


def test_label_logic_is_free_of_torch():
    found = [
        f"{path}:{node.lineno}"
        for path, tree in modules()
        if path.parts[0] == "kinds" and path.name != "objective.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and "torch" in ast.unparse(node).split()[1].split(".")[0]
    ]
    assert found == []
