"""`equipoise serve` as a process: it answers, and ends when it is asked to; what it refuses."""

import concurrent.futures
import gc
import signal
import socket
import subprocess
import sys
import time

import httpx2
import pytest
import torch
from typer.testing import CliRunner

from equipoise.cli import app
from equipoise.errors import UsageError
from equipoise.kinds import Regression
from equipoise.modeling import MultiTaskModel, load_backbone
from equipoise.serving import serve
from length_predictor import LengthPredictor

TASKS = {"score": Regression("score", "s", "text", None, "score", "pearson")}


@pytest.fixture(scope="module")
def model(tiny_model, tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("served") / "model"
    MultiTaskModel(*load_backbone(str(tiny_model)), TASKS, max_length=32).save_pretrained(folder)
    return folder


def refuse(*arguments):
    result = CliRunner().invoke(app, ["serve", *map(str, arguments)])
    assert isinstance(result.exception, UsageError)
    return str(result.exception)


def test_what_has_been_asked_is_answered_before_it_ends(model):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "equipoise", "serve", str(model), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                assert httpx2.get(f"{address}/ready").json() == {"status": "ready"}
                break
            except httpx2.TransportError:
                assert process.poll() is None
                time.sleep(0.2)
        texts = [f"a secret of {number} words " + "good " * (number % 30) for number in range(256)]
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(httpx2.post, f"{address}/predict", json={"texts": texts}, timeout=60)
            while "equipoise_batch_items_count 0.0" in httpx2.get(f"{address}/metrics").text:
                time.sleep(0.005)
            process.send_signal(signal.SIGTERM)
            assert len(asked.result().json()["answers"]) == 256
        output = process.communicate(timeout=60)[0]
    finally:
        process.kill()
    assert process.returncode == 0
    assert "Traceback" not in output
    assert "secret" not in output


def test_what_is_loaded_is_not_looked_through_for_garbage_while_it_serves(monkeypatch):
    frozen = []
    monkeypatch.setattr("uvicorn.run", lambda *arguments, **options: frozen.append(gc.get_freeze_count()))
    serve(LengthPredictor(), "lengths")
    assert frozen[0] > 10_000
    assert gc.get_freeze_count() == 0


def test_a_port_in_use_is_named(model):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"--port {port}: Address already in use" in refuse(model, "--port", port)


def test_an_empty_key_is_refused(model, monkeypatch):
    monkeypatch.setenv("EQUIPOISE_API_KEY", " ")
    assert "EQUIPOISE_API_KEY" in refuse(model)


def test_a_missing_library_is_named_with_what_brings_it(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    for name in [name for name in sys.modules if name.startswith("equipoise.serving")]:
        monkeypatch.delitem(sys.modules, name)
    assert 'pip install "equipoise[serve]"' in refuse(model)
