"""Publishing a model, on a hub of our own that listens on this machine."""

import base64
import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
import torch

from equipoise.errors import EquipoiseWarning, ModelError, UsageError
from equipoise.kinds import Regression
from equipoise.modeling import MultiTaskModel, load_backbone, push

TASKS = {"score": Regression("score", "s", "text", None, "score", "pearson")}
ADDRESS = "https://huggingface.co/acme/reviews"


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as an upload needs; it keeps what it is given."""

    status = 200
    made: ClassVar[list] = []
    files: ClassVar[dict] = {}
    tokens: ClassVar[set] = set()

    def do_GET(self):
        self.answer({"id": "acme/reviews", "siblings": []})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.tokens.add(self.headers.get("Authorization"))
        if self.status != 200:
            self.answer({"error": "no"}, self.status)
        elif self.path.endswith("/repos/create"):
            self.made.append(json.loads(body))
            self.answer({"url": ADDRESS})
        elif "/preupload/" in self.path:
            paths = [file["path"] for file in json.loads(body)["files"]]
            modes = [{"path": path, "uploadMode": "regular", "shouldIgnore": False} for path in paths]
            self.answer({"files": modes})
        elif "/commit/" in self.path:
            for line in body.decode().splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    self.files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            self.answer({"commitUrl": f"{ADDRESS}/commit/1", "commitOid": "1", "success": True})
        else:
            self.answer({"errors": [], "warnings": []})

    def answer(self, content, status=200):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def hub(monkeypatch):
    Hub.status, Hub.made, Hub.files, Hub.tokens = 200, [], {}, set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield Hub
    server.shutdown()


@pytest.fixture(scope="module")
def model(tiny_model, tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("pushed") / "model"
    MultiTaskModel(*load_backbone(str(tiny_model)), TASKS, max_length=32).save_pretrained(folder)
    (folder / "README.md").write_text("# Mine\n")
    (folder / "secrets.txt").write_text("not written by us")
    return folder


def test_the_model_and_its_card_are_uploaded_and_nothing_else(hub, model):
    assert push(model, "acme/reviews", private=True, token="hf_secret") == f"{ADDRESS}/commit/1"
    listed = json.loads((model / "equipoise.json").read_text())["files"]
    assert set(hub.files) == {"equipoise.json", "README.md", *listed}
    assert all((model / name).read_bytes() == content for name, content in hub.files.items())
    assert hub.made[0]["name"] == "reviews"
    assert hub.tokens == {"Bearer hf_secret"}


@pytest.mark.parametrize(("status", "said"), [(401, "may not write"), (403, "may not write"), (500, "try again later")])
def test_what_the_hub_refuses_is_said_in_one_line(hub, model, status, said):
    hub.status = status
    with pytest.raises(ModelError, match=said) as caught:
        push(model, "acme/reviews", token="hf_secret")
    assert "hf_secret" not in str(caught.value)


@pytest.mark.parametrize("hub_id", ["reviews", "a/b/c", "../x", "acme/", "acme/..", "a b/c"])
def test_an_id_that_is_none(hub, model, hub_id):
    with pytest.raises(UsageError, match="expected user/name"):
        push(model, hub_id, token="hf_secret")
    assert hub.made == []


def test_a_damaged_model_is_not_uploaded(hub, model, tmp_path):
    copy = shutil.copytree(model, tmp_path / "model")
    (copy / "task_modules.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelError, match="damaged"):
        push(copy, "acme/reviews", token="hf_secret")
    with pytest.raises(ModelError, match="expected a model"):
        push(tmp_path / "nothing", "acme/reviews", token="hf_secret")
    assert hub.made == []


def test_a_model_without_a_card_is_uploaded_and_that_is_said(hub, model, tmp_path):
    copy = shutil.copytree(model, tmp_path / "model")
    (copy / "README.md").unlink()
    with pytest.warns(EquipoiseWarning, match="has no README.md, the model card"):
        push(copy, "acme/reviews", token="hf_secret")
    assert "equipoise.json" in hub.files


def test_an_exported_model_is_known(tmp_path):
    (tmp_path / "onnx.json").write_text("{}")
    with pytest.raises(ModelError, match="holds an exported model, expected a model"):
        push(tmp_path, "acme/reviews", token="hf_secret")
    with pytest.raises(ModelError, match="holds an exported model, which only `predict` and `serve` read"):
        MultiTaskModel.from_pretrained(tmp_path)


def test_without_a_network_it_is_said_in_one_line(hub, model, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match=r"the hub did not take the model: .*; try again later"):
        push(model, "acme/reviews", token="hf_secret")
