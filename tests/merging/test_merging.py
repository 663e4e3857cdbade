"""Merging experts on the disk into one model."""

import json
import shutil

import numpy as np
import pytest
import torch
from peft import IA3Config, LoraConfig, PeftModel, PromptTuningConfig, get_peft_model
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

from adapters import one, save_checkpoint, save_model
from equipoise.errors import EquipoiseWarning, ModelError, OutputError, UsageError
from equipoise.merging import Base, HeadPolicy, find_experts, merge, read_vectors, writing
from equipoise.modeling import MultiTaskModel, add_adapter, load_backbone
from prompted import TEXTS, encode, predict


def save_adapter(folder, base, settings, seed=0):
    """An adapter of peft whose every number is drawn."""
    torch.manual_seed(seed)
    adapted = get_peft_model(AutoModelForCausalLM.from_pretrained(base), settings)
    for name, parameter in adapted.named_parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, mean=1.0 if "magnitude" in name or "ia3" in name else 0.0, std=0.1)
    adapted.save_pretrained(folder)
    return adapted


@pytest.fixture
def experts(tmp_path, tiny_llm):
    save_model(tmp_path / "tone", tiny_llm, one(polarity="head"), 1)
    save_model(tmp_path / "score", tiny_llm, one(intensity="head"), 2, rank=4)
    return tmp_path


LORA = {"target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM"}


@pytest.mark.parametrize(
    "settings",
    [
        LoraConfig(r=4, **LORA),
        LoraConfig(r=4, use_rslora=True, rank_pattern={"q_proj": 2}, alpha_pattern={"v_proj": 3}, **LORA),
        LoraConfig(r=4, use_dora=True, **LORA),
        IA3Config(feedforward_modules=["down_proj"], target_modules=["v_proj", "down_proj"], task_type="CAUSAL_LM"),
    ],
    ids=["lora", "rslora", "dora", "ia3"],
)
def test_a_vector_is_what_peft_folds_in(tmp_path, tiny_llm, settings):
    folded = save_adapter(tmp_path / "expert", tiny_llm, settings).merge_and_unload()
    base = Base.load(str(tiny_llm), language_model=True)
    before = {name: tensor.clone() for name, tensor in base.backbone.state_dict().items()}
    vector = read_vectors(find_experts([tmp_path / "expert"]), base)["expert"]
    expected = {name: tensor - before[name] for name, tensor in folded.state_dict().items() if name in vector.tensors}
    assert len(vector.tensors) == 4
    for name, tensor in expected.items():
        assert torch.equal(vector.tensors[name], tensor)
        assert tensor.abs().max() > 0
    # The base is as it was, and carries nothing.
    assert base.backbone.state_dict().keys() == before.keys()
    assert all(torch.equal(tensor, before[name]) for name, tensor in base.backbone.state_dict().items())
    is_product = isinstance(settings, LoraConfig) and not settings.use_dora
    assert (vector.factors is not None) == is_product
    for name, factors in (vector.factors or {}).items():
        torch.testing.assert_close(factors.product, expected[name], atol=1e-6, rtol=1e-5)


def test_a_sum_of_adapters_is_an_adapter_and_exact(experts, tiny_llm):
    made = merge([experts / "tone", experts / "score"], experts / "both", weights={"tone": 0.75, "score": 0.25})
    assert (made.form, made.rank) == ("adapter", 8 + 4)
    assert max(made.errors.values()) < 1e-5
    base = Base.load(str(tiny_llm), language_model=False)
    vectors = read_vectors(find_experts([experts / name for name in ("tone", "score", "both")]), base)
    for name, tensor in vectors["both"].tensors.items():
        expected = 0.75 * vectors["tone"].tensors[name] + 0.25 * vectors["score"].tensors[name]
        torch.testing.assert_close(tensor, expected, atol=1e-7, rtol=1e-4)
    # peft's own exact sum says the same.
    adapted = PeftModel.from_pretrained(base.backbone, str(experts / "tone" / "adapter"), adapter_name="tone")
    adapted.load_adapter(str(experts / "score" / "adapter"), adapter_name="score")
    adapted.add_weighted_adapter(["tone", "score"], [0.75, 0.25], "sum", combination_type="cat")
    for name, layer in adapted.base_model.model.named_modules():
        if hasattr(layer, "get_delta_weight"):
            torch.testing.assert_close(layer.get_delta_weight("sum"), vectors["both"].tensors[f"{name}.weight"])


def test_no_task_module_is_lost(experts, tiny_llm):
    merge([experts / "tone", experts / "score"], experts / "both")
    both = MultiTaskModel.from_pretrained(experts / "both")
    assert list(both.tasks) == ["polarity", "intensity"]
    for name, task in (("tone", "polarity"), ("score", "intensity")):
        own = MultiTaskModel.from_pretrained(experts / name)
        kept, expected = both.head(task).state_dict(), own.head(task).state_dict()
        assert all(torch.equal(kept[key], expected[key]) for key in expected)


def test_a_merge_with_weight_one_answers_like_the_expert(experts):
    expert = MultiTaskModel.from_pretrained(experts / "tone")
    merge([experts / "tone", experts / "score"], experts / "first", weights={"tone": 1.0, "score": 0.0})
    merged = MultiTaskModel.from_pretrained(experts / "first")
    rows = encode(expert, TEXTS)
    np.testing.assert_allclose(
        predict(merged, rows, "polarity")["polarity"], predict(expert, rows, "polarity")["polarity"], atol=1e-5
    )


def test_what_is_no_sum_is_folded_in(experts, tiny_llm):
    made = merge([experts / "tone", experts / "score"], experts / "folded", "ties")
    assert (made.form, made.rank, made.errors) == ("weights", None, {})
    assert (experts / "folded" / "backbone" / "model.safetensors").is_file()
    assert not (experts / "folded" / "adapter").exists()
    assert json.loads((experts / "folded" / "merge.json").read_text())["operator"] == "ties"


@pytest.mark.parametrize("rank", [2, 64])
def test_an_adapter_of_a_rank_says_how_far_off_it_is(experts, tiny_llm, rank):
    folded = merge([experts / "tone", experts / "score"], experts / "folded", "ties")
    made = merge([experts / "tone", experts / "score"], experts / "low", "ties", rank=rank)
    assert folded.weights == made.weights
    assert made.rank == min(rank, 32)
    base = Base.load(str(tiny_llm), language_model=False)
    full = AutoModel.from_pretrained(experts / "folded" / "backbone").state_dict()
    low = read_vectors(find_experts([experts / "low"]), base)["low"].tensors
    for name, error in made.errors.items():
        expected = full[name] - base.tensors[name]
        values = torch.linalg.svdvals(expected)
        # The best that a rank can do (Eckart and Young).
        best = float(values[rank:].square().sum().sqrt() / values.square().sum().sqrt())
        assert error == pytest.approx(best, abs=1e-3)
        assert float((low[name] - expected).norm() / expected.norm()) == pytest.approx(best, abs=1e-3)


def test_checkpoints_and_adapters_mix(tmp_path, tiny_llm):
    save_model(tmp_path / "tone", tiny_llm, one(polarity="head"), 1)
    full = save_checkpoint(tmp_path / "full", tiny_llm, seed=2)
    made = merge([tmp_path / "tone", tmp_path / "full"], tmp_path / "mixed", weights={"tone": 0.5, "full": 0.5})
    assert made.form == "weights"
    base = Base.load(str(tiny_llm), language_model=False)
    tone = read_vectors(find_experts([tmp_path / "tone"]), base)["tone"].tensors
    merged = MultiTaskModel.from_pretrained(tmp_path / "mixed").backbone.state_dict()
    for name, tensor in base.tensors.items():
        change = 0.5 * (full.state_dict()[name] - tensor) + 0.5 * tone.get(name, torch.zeros_like(tensor))
        torch.testing.assert_close(merged[name], tensor + change)


def test_experts_of_several_types_are_merged_in_float32(tmp_path, tiny_llm):
    for seed, dtype in enumerate((torch.bfloat16, torch.float16)):
        full = save_checkpoint(tmp_path / str(dtype), tiny_llm, seed=seed)
        full.to(dtype).save_pretrained(tmp_path / str(dtype))
    adapted = save_adapter(tmp_path / "adapter", tiny_llm, LoraConfig(r=2, **LORA))
    adapted.to(torch.bfloat16).save_pretrained(tmp_path / "adapter")
    folders = [tmp_path / "torch.bfloat16", tmp_path / "torch.float16", tmp_path / "adapter"]
    weights = dict.fromkeys((path.name for path in folders), 0.25)
    merge(folders, tmp_path / "out", "task_arithmetic", base=str(tiny_llm), weights=weights)
    wholes = [AutoModel.from_pretrained(folder, dtype=torch.float32).state_dict() for folder in folders[:2]]
    adapter = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_llm), str(folders[2]))
    wholes.append(adapter.merge_and_unload().model.state_dict())
    before = AutoModel.from_pretrained(tiny_llm).state_dict()
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "out").model.state_dict()
    for name, tensor in merged.items():
        assert tensor.dtype == torch.float32
        expected = before[name] + 0.25 * sum(one[name] - before[name] for one in wholes)
        torch.testing.assert_close(tensor, expected, atol=1e-6, rtol=1e-5)


def test_without_an_equipoise_model_peft_and_transformers_read_the_result(tmp_path, tiny_llm):
    for seed, name in enumerate(("a", "b")):
        save_adapter(tmp_path / name, tiny_llm, LoraConfig(r=2, **LORA), seed)
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "sum")
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "folded", "ties")
    adapted = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_llm), str(tmp_path / "sum"))
    assert adapted.peft_config["default"].base_model_name_or_path == str(tiny_llm)
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "folded").config.model_type == "llama"
    assert len(AutoTokenizer.from_pretrained(tmp_path / "folded")) == len(AutoTokenizer.from_pretrained(tiny_llm))


def test_heads_for_one_task(tmp_path, tiny_llm):
    for seed, name in enumerate(("a", "b")):
        save_model(tmp_path / name, tiny_llm, one(polarity="head"), seed)
    folders = [tmp_path / "a", tmp_path / "b"]
    assert merge(folders, tmp_path / "kept").tasks == ["polarity@a", "polarity@b"]
    assert merge(folders, tmp_path / "averaged", heads="average").tasks == ["polarity"]
    states = [
        MultiTaskModel.from_pretrained(tmp_path / name).head("polarity").state_dict() for name in ("a", "b", "averaged")
    ]
    for key, tensor in states[2].items():
        torch.testing.assert_close(tensor, (states[0][key] + states[1][key]) / 2)
    with pytest.raises(UsageError, match="a, b have a head for task 'polarity' each, and they differ"):
        merge(folders, tmp_path / "refused", heads="error")
    # The same head twice is no conflict.
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    assert merge([tmp_path / "a", tmp_path / "copy"], tmp_path / "same", heads="error").tasks == ["polarity"]
    assert not (tmp_path / "refused").exists()


def test_former_names_work_with_one_note(tmp_path, tiny_llm):
    folders = [tmp_path / name for name in "ab"]
    for seed, folder in enumerate(folders):
        save_model(folder, tiny_llm, one(polarity="head"), seed)
    with pytest.warns(EquipoiseWarning, match="the argument `modules` is now `heads`") as told:
        assert merge(folders, tmp_path / "out", modules="average").tasks == ["polarity"]
    assert [one.category for one in told].count(EquipoiseWarning) == 1
    with pytest.warns(EquipoiseWarning, match="Modules is now HeadPolicy"):
        from equipoise.merging import Modules
    assert Modules is HeadPolicy


def test_what_cannot_be_merged_is_refused(tmp_path, tiny_llm, tiny_model):
    save_model(tmp_path / "llm", tiny_llm, one(polarity="head"), 1)
    save_model(tmp_path / "bert", tiny_model, one(intensity="head"), 1, targets=["query"])
    save_checkpoint(tmp_path / "full", tiny_model, seed=1)
    save_adapter(tmp_path / "prompt", tiny_llm, PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2))
    save_adapter(tmp_path / "biased", tiny_llm, LoraConfig(r=2, bias="all", **LORA))
    (tmp_path / "empty").mkdir()
    cases = [
        (["llm", "bert"], {}, UsageError, "experts of different bases"),
        (["full"], {}, UsageError, "no expert's files name its base"),
        (["llm", "full"], {}, ModelError, r"its tokenizer is not that of .*: it (has|lacks) \d+ tokens"),
        (["bert"], {"base": str(tiny_llm)}, ModelError, "trained on another"),
        (["prompt"], {}, ModelError, "PROMPT_TUNING adapter, which changes no weights"),
        (["biased"], {}, ModelError, r"also holds biases \(bias: all\)"),
        (["empty"], {}, ModelError, "expected an expert"),
        (["nowhere"], {}, ModelError, "does not exist"),
        (["llm", "llm"], {}, UsageError, "a second expert of the name 'llm'"),
        (["llm"], {"weights": {"lm": 1.0}}, UsageError, "there is a weight for 'lm'. Did you mean 'llm'"),
        (["llm"], {"weights": {}}, UsageError, "there is no weight for 'llm'"),
        (["llm"], {"weights": {"llm": float("nan")}}, UsageError, "the weight of 'llm' is nan"),
        (["llm"], {"modules": "drop"}, UsageError, "found 'drop', expected one of keep, average, error"),
        (["full"], {"base": str(tiny_model), "rank": 2}, ModelError, r"no weights of linear layers .*leave --rank out"),
        (["llm"], {"rank": 0}, UsageError, "found 0, expected 1 or more"),
    ]
    for names, options, kind, message in cases:
        with pytest.raises(kind, match=message):
            merge([tmp_path / name for name in names], tmp_path / "out", **options)
        assert not (tmp_path / "out").exists()
    with pytest.raises(OutputError, match="holds other files"):
        merge([tmp_path / "llm"], tmp_path / "full")


def test_what_another_process_has_written_in_the_meantime_stays(tmp_path, tiny_llm, monkeypatch):
    save_model(tmp_path / "a", tiny_llm, one(polarity="head"), 1)
    write = writing.put_factors

    def merge_beside(*arguments):
        write(*arguments)
        monkeypatch.setattr(writing, "put_factors", write)
        merge([tmp_path / "a"], tmp_path / "out", weights={"a": 0.5})

    monkeypatch.setattr(writing, "put_factors", merge_beside)
    with pytest.raises(OutputError, match="found a model there"):
        merge([tmp_path / "a"], tmp_path / "out")
    assert json.loads((tmp_path / "out/merge.json").read_text())["weights"] == {"a": 0.5}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "out"]


@pytest.mark.parametrize("options", [{}, {"rank": 2}])
def test_experts_that_learnt_nothing_are_refused(tmp_path, tiny_llm, options):
    backbone, tokenizer = load_backbone(str(tiny_llm))
    add_adapter(backbone)
    MultiTaskModel(backbone, tokenizer, one(polarity="head"), 128, base=str(tiny_llm)).save_pretrained(tmp_path / "a")
    with pytest.raises(ModelError, match="nothing differs from the base"):
        merge([tmp_path / "a"], tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()
