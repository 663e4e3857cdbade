"""What checkpoints hold beside their backbones – classifiers, poolers – in a merge."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel

from equipoise.errors import ModelError, UsageError, did_you_mean
from equipoise.modeling import SAFE, quiet_transformers
from equipoise.starter import STARTERS, fetch

from .accounting import Fate, Places, TensorFate
from .base import Base
from .checkpoints import AUTO, known_class, load_whole
from .experts import Expert
from .own_heads import HeadPolicy
from .tensor_files import list_tensors
from .vector import Head

FOLDER, _FILE = "heads", "head.safetensors"


@dataclass(frozen=True)
class HeadPlan:
    """What becomes of the heads of checkpoints.

    Args:
        before: the base's own, of those that are merged like the backbone.
        linear: which of these are weights of linear layers.
        changes: by expert, τ of those.
        own: those that the result has as they are, or averaged.
        apart: by expert, what lies in a folder of its own beside the result.
        fates: by expert and tensor, what became of it; of those that are merged, nothing.
        like: the head whose class and configuration the result takes; None where it is a backbone alone.
    """

    before: dict[str, Tensor] = field(default_factory=dict)
    linear: frozenset[str] = frozenset()
    changes: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    own: dict[str, Tensor] = field(default_factory=dict)
    apart: dict[str, Head] = field(default_factory=dict)
    fates: dict[str, Places] = field(default_factory=dict)
    like: Head | None = None


def plan_heads(heads: Mapping[str, Head], base: Base, policy: HeadPolicy, *, alone: bool) -> HeadPlan:
    """Decide what becomes of experts' heads.

    What the base has, too, is merged as all other tensors are. What it lacks began as random numbers, each expert's
    own, and is handled as heads are: one that is the same in all experts that have one is the result's;
    otherwise each is kept in a folder of its own, they are averaged, or that is refused.

    Args:
        heads: by expert.
        base: the base.
        policy: what is done with those that differ.
        alone: keep each apart, since the result has no room for heads: it is an Equipoise model, or an adapter.

    Raises:
        UsageError: heads differ, and `policy` says "error"; or they cannot be averaged.
    """
    heads = {name: head for name, head in heads.items() if head.tensors}
    if alone or not heads:
        return HeadPlan(apart=dict(heads), fates={name: _apart(name, head) for name, head in heads.items()})
    whole = [head for head in heads.values() if head.head]
    like = (whole or list(heads.values()))[0]
    alike = all(_fits(head, like) for head in whole)
    before, linear = _of_base(base, like if alike else None, heads)
    shared = {key for head in heads.values() for key in head.tensors} & before.keys()
    before = {key: before[key] for key in before if key in shared}
    changes = {
        name: {key: head.tensors[key] - before[key] for key in before if key in head.tensors}
        for name, head in heads.items()
    }
    changes = {name: {key: change for key, change in own.items() if change.any()} for name, own in changes.items()}
    rest = {name: _without(head, shared) for name, head in heads.items()}
    rest = {name: head for name, head in rest.items() if head.tensors}
    own, fate = _merge_missing_in_base(rest, policy, alike=alike)
    fates: dict[str, Places] = {}
    for name, head in rest.items():
        fates[name] = _apart(name, head) if own is None else {key: (fate, key) for key in head.tensors}
    if whole and (own is None or not alike):
        # A backbone alone, which may have a pooler.
        like = Head(type(base.backbone.base_model).__name__, base.backbone.config, {}, {})
    return HeadPlan(before, linear, changes, own or {}, {} if own is not None else rest, fates, like)


def _fits(one: Head, other: Head) -> bool:
    """Whether two heads answer the same question in the same way, as far as their files say."""
    return (
        one.architecture == other.architecture
        and one.config.id2label == other.config.id2label
        and {key: tensor.shape for key, tensor in one.head.items()}
        == {key: tensor.shape for key, tensor in other.head.items()}
    )


def _without(head: Head, names: set[str]) -> Head:
    return Head(
        head.architecture,
        head.config,
        {key: tensor for key, tensor in head.pooler.items() if key not in names},
        {key: tensor for key, tensor in head.head.items() if key not in names},
    )


def _apart(name: str, head: Head) -> Places:
    return {key: (Fate.KEPT, f"{FOLDER}/{name}/{key}") for key in head.tensors}


def _of_base(base: Base, like: Head | None, heads: Mapping[str, Head]) -> tuple[dict[str, Tensor], frozenset[str]]:
    """The base's own tensors of these names and shapes, and which are weights of linear layers."""
    location = str(fetch(base.name)) if base.name in STARTERS else base.name
    names = [*(key for head in heads.values() for key in head.pooler), *(like.head if like else ())]
    wanted = {key: {head.tensors[key].shape for head in heads.values() if key in head.tensors} for key in names}
    try:
        loaded = load_whole(location, like.architecture if like else type(base.backbone.base_model).__name__)
    except ModelError:
        return {}, frozenset()
    own = {name.removeprefix(loaded.prefix): tensor for name, tensor in loaded.parameters.items()}
    held = {key: own[key] for key, shapes in wanted.items() if key in own and shapes == {own[key].shape}}
    if like and not like.head.keys() <= held.keys():
        # Half a head is none.
        held = {key: tensor for key, tensor in held.items() if key not in like.head}
    modules = loaded.model.named_modules()
    linear = {f"{name.removeprefix(loaded.prefix)}.weight" for name, part in modules if isinstance(part, nn.Linear)}
    return held, frozenset(linear & held.keys())


def _merge_missing_in_base(
    rest: Mapping[str, Head], policy: HeadPolicy, *, alike: bool
) -> tuple[dict[str, Tensor] | None, Fate]:
    """Make one head of those that the base lacks; None where each is kept apart."""
    states = [head.tensors for head in rest.values()]
    same = alike and all(state.keys() == states[0].keys() for state in states)
    if not states or (same and all(torch.equal(state[key], states[0][key]) for state in states for key in state)):
        return (states[0] if states else {}), Fate.KEPT
    if policy is HeadPolicy.KEEP:
        return None, Fate.KEPT
    if policy is HeadPolicy.ERROR:
        raise UsageError(
            f"merge: {', '.join(rest)} have a head each ({', '.join(list(states[0])[:2])}, …) which their base lacks, "
            "and they differ; keep each (--heads keep) or average them (--heads average)."
        )
    if not same:
        raise UsageError(
            f"merge: the heads of {', '.join(rest)} differ in class, labels or shapes, so that they cannot be "
            "averaged; keep each (--heads keep)."
        )
    return {key: torch.stack([state[key] for state in states]).mean(dim=0) for key in states[0]}, Fate.AVERAGED


def save_with_head(base: Base, like: Head, tensors: Mapping[str, Tensor], folder: Path) -> None:
    """Write the base as it stands with a head, as a checkpoint of the head's class.

    Args:
        base: the base, the merged vector added to it.
        like: whose class and configuration the checkpoint takes.
        tensors: the pooler and the head.
        folder: where.

    Raises:
        ModelError: the class has parameters that neither holds, or lacks some.
    """
    backbone = {name: parameter.detach() for name, parameter in base.backbone.base_model.named_parameters()}
    model = _assemble(backbone, like, tensors, str(folder))
    with quiet_transformers():
        model.save_pretrained(folder)
        base.tokenizer.save_pretrained(folder)


def list_carried(expert: Expert) -> list[TensorFate]:
    """List the tensors of heads that an earlier merge kept in an expert's folder, and that are kept again."""
    fates = []
    for file in sorted((expert.folder / FOLDER).rglob(_FILE)):
        place = f"{FOLDER}/{expert.name}/{file.parent.relative_to(expert.folder / FOLDER).as_posix()}"
        for key, tensor in list_tensors(expert.folder, file.parent, file.stem).items():
            fates.append(TensorFate(expert.name, tensor.file, key, Fate.KEPT, f"{place}/{key}"))
    return fates


def copy_carried(experts: Sequence[Expert], folder: Path) -> None:
    """Copy the heads that earlier merges kept into `heads/EXPERT/`, below which they have the names they had."""
    for expert in experts:
        if (expert.folder / FOLDER).is_dir():
            shutil.copytree(expert.folder / FOLDER, folder / FOLDER / expert.name, dirs_exist_ok=True)


def save_heads(heads: Mapping[str, Head], folder: Path) -> None:
    """Write heads, each into `heads/EXPERT/`: its tensors, and the configuration of the model it belongs to."""
    for name, head in heads.items():
        target = folder / FOLDER / name
        target.mkdir(parents=True)
        save_file(
            {key: tensor.contiguous() for key, tensor in head.tensors.items()},
            target / _FILE,
            metadata={"format": "pt"},
        )
        head.config.architectures = [head.architecture]
        head.config.save_pretrained(target)


def load_with_head(folder: str | Path, expert: str) -> PreTrainedModel:
    """Load a merged model with the head of one of its experts, which the merge kept.

    Args:
        folder: the folder that `merge` wrote.
        expert: the expert's name; of a head that an earlier merge kept EXPERT/NAME.

    Raises:
        ModelError: there is no such head, or it cannot be read.

    Example:
        >>> model = load_with_head("runs/both", "irony")  # doctest: +SKIP
    """
    folder = Path(folder)
    own = folder / FOLDER / expert
    if not (own / _FILE).is_file():
        available = [path.name for path in (folder / FOLDER).iterdir()] if (folder / FOLDER).is_dir() else []
        raise ModelError(f"{folder}: keeps no head of '{expert}'. {did_you_mean(expert, available)}")
    place = folder / "backbone" if (folder / "backbone").is_dir() else folder
    try:
        with quiet_transformers():
            config = AutoConfig.from_pretrained(str(own), local_files_only=True, **SAFE)
        merged = load_whole(str(place), AUTO)
        backbone = {name.removeprefix(merged.prefix): tensor for name, tensor in merged.parameters.items()}
        return _assemble(backbone, _head_of(config), load_file(own / _FILE), str(own))
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelError(f"{own}: cannot be read ({str(error)[:200]}); merge again.") from error


def _head_of(config: PreTrainedConfig) -> Head:
    return Head((config.architectures or [""])[0], config, {}, {})


def _assemble(backbone: Mapping[str, Tensor], like: Head, tensors: Mapping[str, Tensor], where: str) -> PreTrainedModel:
    """Make one model of a backbone and a head, with nothing lost and nothing random."""
    made = known_class(like.architecture)
    if made is None:
        raise ModelError(f"{where}: '{like.architecture}' is no class of transformers, so that its head has no place.")
    with quiet_transformers():
        model = made(like.config).float()
    prefix = "" if model.base_model is model else f"{model.base_model_prefix}."
    poolers = {name for name, _ in model.base_model.named_parameters() if "pooler" in name}
    if not prefix and not poolers & (backbone.keys() | tensors.keys()) and poolers:
        # A backbone alone is complete without a pooler.
        model.base_model.pooler, poolers = None, set()
    # A head may have been read without the pooler.
    state = {prefix + name: tensor for name, tensor in backbone.items() if "pooler" not in name or name in poolers}
    state |= {prefix + key if key in poolers else key: tensor for key, tensor in tensors.items()}
    lost = model.load_state_dict(state, strict=False)
    wanted = {name for name, _ in model.named_parameters()}
    if lost.unexpected_keys or wanted & set(lost.missing_keys):
        name = [*lost.unexpected_keys, *sorted(wanted & set(lost.missing_keys))][0]
        raise ModelError(f"{where}: '{name}' of the merge and {like.architecture} do not belong together.")
    return model.eval()
