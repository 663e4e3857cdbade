"""The service under load: texts a second against offline prediction, times to answer, errors, memory.

`equipoise serve` runs in a process of its own with a model of three tasks (the starter encoder, random heads). So many
clients as `--clients` says ask one text after the other, real ones from the starter corpus; each tenth request also
holds a text that is empty. In turns with that, the same model answers the same texts by `Predictor.predict` in this
process, while the service idles. `ratio` is how many times as many texts a second the service answers.

    python benchmarks/serving.py [--quick] [--seconds 60] [--turns 3] [--clients 64] [--model minilm]

`cpu ms` is the CPU time of an offline text, and of a request in the service; unlike texts a second it hardly depends on
what else the machine does. `lost` counts texts without the answer that `Predictor.predict` gives, `failed` requests
that ended in neither 200 nor 429. Clients, service and all else share the machine's cores, so the clients' own work is
in the figures.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import torch

from equipoise.kinds import Classification, Regression
from equipoise.modeling import MultiTaskModel, Predictor, load_backbone, quiet_transformers
from equipoise.starter import fetch
from measuring import setting

TASKS = {
    "polarity": Classification("polarity", "s", "text", None, "label", "macro_f1", classes=("bad", "fair", "good")),
    "irony": Classification("irony", "s", "text", None, "label", "macro_f1", classes=("no", "yes")),
    "intensity": Regression("intensity", "s", "text", None, "label", "pearson"),
}


@dataclass
class Load:
    """What clients met in one turn."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    lost: int = 0
    took: float = 0.0
    cpu: float = 0.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.seconds) / self.took


def load_texts(n: int) -> list[str]:
    lines = (fetch("vader") / "corpus.jsonl").open(encoding="utf-8")
    return [json.loads(next(lines))["text"] for _ in range(n)]


def start(folder: Path, port: int, log: Any) -> subprocess.Popen[bytes]:
    """Start the service, and wait until it answers."""
    command = [sys.executable, "-m", "equipoise", "serve", str(folder), "--port", str(port), "--device", "cpu"]
    process = subprocess.Popen(command, stdout=log, stderr=log)
    for _ in range(600):
        try:
            if httpx2.get(f"http://127.0.0.1:{port}/ready").status_code == 200:
                return process
        except httpx2.TransportError:
            time.sleep(0.2)
        if process.poll() is not None:
            break
    raise SystemExit("the service did not start")


async def press(port: int, texts: list[str], expected: list[Any], clients: int, seconds: float) -> Load:
    """Let clients ask for some seconds, and check every answer."""
    load, numbers, end = Load(), count(), time.monotonic() + seconds

    async def work() -> None:
        connection = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < end:
            number = next(numbers)
            place = number % len(texts)
            asked = [texts[place], ""] if number % 10 == 0 else [texts[place]]
            begun = time.monotonic()
            async with asyncio.timeout(60):
                status, pause, answer = await post(*connection, {"texts": asked})
            load.statuses[status] += 1
            if status == 429:
                await asyncio.sleep(pause)
                continue
            load.seconds.append(time.monotonic() - begun)
            found = answer.get("answers", [{}])
            load.lost += not agrees(found[0], expected[place])
            load.lost += len(asked) == 2 and not (len(found) == 2 and list(found[1]) == ["error"])
        connection[1].close()

    started = time.monotonic()
    await asyncio.gather(*(work() for _ in range(clients)))
    load.took = time.monotonic() - started
    return load


async def post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: Any) -> tuple[int, float, Any]:
    """Ask `/predict` over an open connection, and return the status, `Retry-After`, and the answer.

    A client library takes two milliseconds of CPU a request, which the service, on the same cores, would lack.
    """
    body = json.dumps(asked).encode()
    head = f"POST /predict HTTP/1.1\r\nHost: benchmark\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    writer.write(head.encode() + b"\r\n\r\n" + body)
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().splitlines()
    headers = dict(line.split(": ", 1) for line in lines if line)
    answer = json.loads(await reader.readexactly(int(headers["content-length"])))
    return int(first.split()[1]), float(headers.get("retry-after", 0)), answer


def agrees(answer: Any, expected: Any) -> bool:
    if "intensity" not in answer:
        return False
    other = expected["polarity"]["probabilities"]
    near = all(abs(value - other[name]) < 1e-4 for name, value in answer["polarity"]["probabilities"].items())
    return near and abs(answer["intensity"]["score"] - expected["intensity"]["score"]) < 1e-3


def memory(process: subprocess.Popen[bytes]) -> float:
    """Return the memory of a process in MiB."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """Return the CPU time of a process, of all its threads."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def predict_offline(predictor: Predictor, texts: list[str], seconds: float) -> tuple[float, float]:
    """Answer the texts offline for some seconds, and return texts a second, and milliseconds of CPU time a text."""
    begun, cpu, done = time.monotonic(), time.process_time(), 0
    while time.monotonic() - begun < seconds:
        predictor.predict(texts, batch_size=32)
        done += len(texts)
    return done / (time.monotonic() - begun), 1000 * (time.process_time() - cpu) / done


def describe(offline: tuple[float, float], load: Load) -> dict[str, Any]:
    """Return the figures of a turn."""
    p50, p99 = (1000 * float(value) for value in np.quantile(load.seconds, (0.5, 0.99)))
    times = {"offline_cpu": offline[1], "service_cpu": 1000 * load.cpu / len(load.seconds), "p50": p50, "p99": p99}
    rates = {"offline": offline[0], "service": load.rate, "ratio": load.rate / offline[0]}
    return rates | times | {"lost": load.lost, "statuses": dict(load.statuses)}


def measure(arguments: argparse.Namespace, folder: Path, log: Any) -> dict[str, Any]:
    """Take the turns, print a line for each, and return the figures."""
    with quiet_transformers():
        torch.manual_seed(0)
        predictor = Predictor(MultiTaskModel(*load_backbone(arguments.model), TASKS, 128).eval())
    predictor.model.save_pretrained(folder)
    texts = load_texts(arguments.texts)
    expected = predictor.predict(texts, batch_size=32)
    port = free_port()
    process = start(folder, port, log)
    turns = []
    print(
        f"{'turn':>4}{'offline/s':>11}{'cpu ms':>8}{'service/s':>11}{'cpu ms':>8}{'ratio':>7}{'p50 ms':>8}{'p99 ms':>8}"
        f"{'lost':>6}{'MiB':>7}  statuses"
    )
    try:
        for turn in range(arguments.turns):
            offline = predict_offline(predictor, texts, arguments.seconds / 4)
            before = cpu_seconds(process)
            load = asyncio.run(press(port, texts, expected, arguments.clients, arguments.seconds))
            load.cpu = cpu_seconds(process) - before
            turns.append(describe(offline, load) | {"mib": memory(process)})
            row = turns[-1]
            print(
                f"{turn:4}{row['offline']:11.1f}{row['offline_cpu']:8.2f}{row['service']:11.1f}{row['service_cpu']:8.2f}"
                f"{row['ratio']:7.2f}{row['p50']:8.0f}{row['p99']:8.0f}{load.lost:6}{row['mib']:7.0f}"
                f"  {dict(load.statuses)}"
            )
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    failed = sum(n for row in turns for status, n in row["statuses"].items() if status not in (200, 429))
    return {
        "ratio": float(np.median([row["ratio"] for row in turns])),
        "p99_to_p50": float(np.median([row["p99"] / row["p50"] for row in turns])),
        "lost": sum(row["lost"] for row in turns),
        "failed": failed,
        "memory_growth": turns[-1]["mib"] / turns[0]["mib"],
        "exit_code": code,
        "turns": turns,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one turn of five seconds")
    parser.add_argument("--seconds", type=float, default=60.0, help="of load in a turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--texts", type=int, default=256)
    parser.add_argument("--model", default="minilm", help="starter name or folder of the backbone")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seconds, arguments.turns, arguments.texts = 5.0, 1, 64
    with tempfile.TemporaryDirectory() as folder, open(Path(folder) / "log", "w") as log:
        found = measure(arguments, Path(folder) / "model", log)
    print(json.dumps({"benchmark": "serving", **setting(), "clients": arguments.clients, **found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
