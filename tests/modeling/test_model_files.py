"""What the files of a model's folder hold and the model does not use, or may not read."""

import json
import os
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertForMaskedLM, BertForSequenceClassification

from equipoise.errors import EquipoiseWarning, ModelError
from equipoise.modeling import check_files, load, load_backbone
from equipoise.workspace import lock_folder


def copy(tiny_model, tmp_path):
    shutil.copytree(tiny_model, tmp_path / "m")
    return tmp_path / "m"


def test_a_layer_that_config_json_leaves_out_is_told(tiny_model, tmp_path):
    folder = copy(tiny_model, tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 1}))
    with pytest.warns(EquipoiseWarning, match=r"16 tensors of its weights have no place .*'encoder\.layer\.1\."):
        load_backbone(str(folder))


def test_a_tensor_that_nobody_knows_is_told(tiny_model, tmp_path):
    folder = copy(tiny_model, tmp_path)
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, "extra.weight": torch.ones(2)}, folder / "model.safetensors", {"format": "pt"})
    with pytest.warns(EquipoiseWarning, match=r"1 tensors of its weights have no place .*'extra\.weight'"):
        load_backbone(str(folder))


@pytest.mark.parametrize("architecture", [BertForMaskedLM, BertForSequenceClassification])
@pytest.mark.filterwarnings("error::equipoise.errors.EquipoiseWarning")
def test_a_head_is_left_out_without_a_word(tiny_model, tmp_path, architecture):
    folder = copy(tiny_model, tmp_path)
    architecture.from_pretrained(tiny_model).save_pretrained(folder)
    load_backbone(str(folder))


def test_a_file_that_may_not_be_read_is_named(tiny_model, tmp_path, monkeypatch):
    folder = copy(tiny_model, tmp_path)
    access = os.access
    # The superuser, by whom tests may be run, reads everything.
    monkeypatch.setattr(os, "access", lambda path, mode: "model.safe" not in str(path) and access(path, mode))
    with pytest.raises(ModelError, match=r"model\.safetensors: cannot be read \(Permission denied\); make it readable"):
        check_files(folder)


def test_a_model_that_is_being_written_is_no_damaged_one(tmp_path):
    (tmp_path / "run/model").mkdir(parents=True)
    with pytest.raises(ModelError, match=r"has no equipoise\.json"):
        load(tmp_path / "run")
    with lock_folder(tmp_path / "run"):
        for folder in ("run", "run/model"):
            with pytest.raises(ModelError, match=rf"cannot be read while process {os.getpid()} .* is writing"):
                load(tmp_path / folder)
