"""What the README and the docs tell a newcomer to do works."""

import re
import sys
from ast import literal_eval
from importlib.resources import files
from pathlib import Path

import pytest
import torch
import yaml
from torch.nn.functional import cross_entropy

from equipoise.cli.lists import get_catalogue
from equipoise.config import load_config, make_config
from equipoise.kinds import registry
from equipoise.training import train

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.S | re.M)


def test_the_plugin_of_the_docs_runs_as_it_stands():
    (code,) = [block for block in blocks(ROOT / "docs" / "your_loop.md", "python") if "balance.losses)" in block]
    names: dict = {}
    exec(code, names)
    assert names["backbone"].weight.grad is not None
    for line, values in zip(code.splitlines()[-2:], (names["balance"].losses, names["balance"].weights), strict=True):
        assert values == pytest.approx(literal_eval(line[line.index("{") : line.index("}") + 1]), abs=0.05)


def test_the_first_run_file_of_the_readme_is_that_of_the_quickstart():
    shown = yaml.safe_load(blocks(ROOT / "README.md", "yaml")[0])
    used = yaml.safe_load((files("equipoise.starter") / "quickstart.yaml").read_text(encoding="utf-8"))
    assert shown["sources"]["vader"].items() <= used["sources"]["vader"].items()
    assert {key: shown[key] for key in ("model", "tasks", "output")} == {
        key: used[key] for key in ("model", "tasks", "output")
    }


def test_the_example_weights_of_the_docs_run_as_they_stand():
    (code,) = [block for block in blocks(ROOT / "docs" / "balancing.md", "python") if "label_stats" in block]
    h = torch.randn(8, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    y, k = torch.arange(8) / 8, torch.tensor([0, 0, 0, 0, 0, 0, 0, 1])
    losses = {"score": (h.sum(1) - y).square(), "polarity": cross_entropy(h[:, :3], k, reduction="none")}
    names = {"h": h, "y": y, "k": k, "losses": losses}
    exec(code, names)
    unweighted = sum(names["balance"].weights[task] * loss.mean() for task, loss in losses.items())
    assert abs(names["loss"] - unweighted) > 0.01


def test_your_own_file_in_five_minutes(tmp_path, tiny_model, monkeypatch):
    run_file = blocks(ROOT / "README.md", "yaml")[1]
    (tmp_path / "reviews.yaml").write_text(run_file)
    rows = [
        f"a {'good' if i % 2 else 'bad'} film {i},{1 + 4 * (i % 2)},{'film' if i % 3 else 'book'},w{i % 50}"
        for i in range(150)
    ]
    (tmp_path / "reviews.csv").write_text("text,stars,topic,author\n" + "\n".join(rows))
    monkeypatch.chdir(tmp_path)
    run = train("reviews.yaml", [f"model={tiny_model}", "max_length=32", "train.max_steps=2"])
    assert run.folder == tmp_path / "runs" / "reviews"
    code = next(block for block in blocks(ROOT / "README.md", "python") if "equipoise.train" in block)
    names: dict = {}
    exec(code.replace('equipoise.train("reviews.yaml")', "equipoise.training.read_run('runs/reviews')"), names)


def test_the_kind_of_the_docs_is_trained(tmp_path, tiny_model, monkeypatch):
    code, script = blocks(ROOT / "docs" / "own_kind.md", "python")
    (run_file,) = blocks(ROOT / "docs" / "own_kind.md", "yaml")
    (tmp_path / "helpful.py").write_text(code, encoding="utf-8")
    rows = [f"a {'good' if i % 2 else 'bad'} film {i},{3 * (i % 2)},{1 + 4 * (i % 2)}" for i in range(150)]
    (tmp_path / "reviews.csv").write_text("text,helpful,stars\n" + "\n".join(rows))
    settings = {"model": str(tiny_model), "max_length": 32, "train": {"max_steps": 2}}
    (tmp_path / "reviews.yaml").write_text(yaml.safe_dump({**yaml.safe_load(run_file), **settings}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    names: dict = {}
    try:
        exec(script, names)
    finally:
        registry._KINDS.pop("count", None)
        sys.modules.pop("helpful", None)
    scored = {(record["task"], record["metric"]) for record in names["run"].records}
    assert {("helpful", "fit"), ("helpful", "deviance"), ("stars", "pearson")} <= scored


def test_the_balancer_of_the_docs_passes_the_checks():
    (code,) = [block for block in blocks(ROOT / "docs" / "balancing.md", "python") if "check_balancer" in block]
    exec(code, {})


@pytest.mark.parametrize(
    "block", [block for page in ("data", "tasks", "metrics") for block in blocks(ROOT / "docs" / f"{page}.md", "yaml")]
)
def test_the_sources_of_the_docs_are_valid(block):
    sources = yaml.safe_load(block)["sources"]
    make_config(
        {"sources": sources, "tasks": {"t": {"source": next(iter(sources)), "kind": "regression"}}, "output": "x"}
    )


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_examples_are_valid_run_files(path, monkeypatch):
    monkeypatch.setenv("EQUIPOISE_DATA", "somewhere")
    assert load_config(path).output == ROOT / "runs" / path.stem


def test_the_page_of_keys_is_up_to_date():
    """Made by: equipoise list keys --markdown."""
    assert get_catalogue("keys").table().to_markdown() in (ROOT / "docs" / "run_file.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_every_command_of_the_readme_exists():
    from typer.main import get_command

    from equipoise.cli import app

    known = {name for name, command in get_command(app).commands.items() if not command.hidden}
    named = re.findall(r"(?:`|bin/)equipoise (\w[\w-]*)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert set(named) == known
