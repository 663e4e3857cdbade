"""The commands of docs/after_training.md, one after the other, on a small model."""

import csv
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2

PAGE = Path(__file__).parents[2] / "docs" / "after_training.md"
LATE = ("where is my parcel", "the package is late", "still waiting for my box", "the courier never came")
MONEY = ("i was charged twice", "please send my refund", "the price is wrong", "you took the money")


def commands():
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def prepare(folder, run):
    shutil.copytree(run.folder, folder / "runs" / "quickstart")
    path = folder / "runs" / "quickstart" / "config.yaml"
    path.write_text(re.sub(r"(?m)^output:.*$", f"output: {path.parent}", path.read_text()))
    (folder / "new.csv").write_text("text,id\ngood good film,7\nbad service,8\n")
    with (folder / "tickets.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", "topic"])
        for number in range(16):
            table.writerow([f"{LATE[number % 4]} {number}", "delivery"])
            table.writerow([f"{MONEY[number % 4]} {number}", "payment"])
    (folder / "tickets.yaml").write_text(
        "sources:\n  tickets: {path: tickets.csv, split: [1, 0, 0]}\n"
        "tasks:\n  topic: {source: tickets, kind: classification, label: topic}\noutput: unused\n"
    )


def ask(port, command):
    """What curl does."""
    body = json.loads(shlex.split(command)[shlex.split(command).index("-d") + 1])
    for _ in range(300):
        try:
            return httpx2.post(f"http://127.0.0.1:{port}/predict", json=body, timeout=60).json()["answers"]
        except httpx2.TransportError:
            time.sleep(0.2)
    raise AssertionError("the service does not answer")


def test_every_command_of_the_page_works_in_its_order(trusted, tmp_path):
    prepare(tmp_path, trusted)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    service, said, answers = None, [], []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    try:
        for command in commands():
            if command.startswith("curl"):
                answers = ask(port, command)
                continue
            words = shlex.split(command.replace("8000", port))
            assert words[0] == "equipoise"
            line = [sys.executable, "-m", *(word for word in words if word != "&")]
            if words[-1] == "&":
                service = subprocess.Popen(line, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
                continue
            done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, done.stderr
            said.append(done.stdout)
    finally:
        if service is not None:
            service.terminate()
            service.wait(60)
    assert len(said) == 6
    explained = json.loads(said[1])["polarity"]
    assert {"label", "probabilities", "set", "words", "explained"} <= explained.keys()
    with (tmp_path / "answers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["7", "8"]
    assert {"intensity.interval", "polarity.set", "polarity.unsure"} <= rows[0].keys()
    assert answers[0]["polarity"]["set"]
    assert "error" in answers[1]
    assert "topic" in said[4]
    assert json.loads(said[5])["topic"]["label"] in ("delivery", "payment")
