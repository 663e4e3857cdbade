"""One model of several experts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from torch import Tensor

from equipoise.digests import digest_folder
from equipoise.disk import writing_model
from equipoise.errors import ModelError, OutputError, UsageError
from equipoise.files import replace_folder, write_json
from equipoise.modeling import MERGE_RECORD, MODEL_OUTPUT, MultiTaskModel, quiet_transformers
from equipoise.outputs import check_apart, check_output
from equipoise.temporaries import clean_leftovers

from .accounting import TensorFate, as_json
from .base import Base
from .experts import Expert, Kind, common_base, find_experts
from .fates import account
from .heads import Heads, copy_carried, plan_heads, save_heads, save_with_head
from .low_rank import Factors, check_adaptable, name_as_trained, put_factors, relative_error, sum_of_factors, truncated
from .operators import make_merge_operator
from .own_heads import Combined, Modules, combine_models
from .vector import Vector
from .vectors import read_vectors


@dataclass(frozen=True)
class Merge:
    """What a merge did.

    Args:
        folder: where the model lies.
        operator: the operator's name.
        options: its options, as given.
        weights: the weight of each expert.
        base: the base's name.
        form: "adapter" or "weights".
        rank: the adapter's greatest rank; None where the merge is folded into the weights.
        errors: of an adapter, by tensor: how far it is from the merge, ‖written − merged‖ / ‖merged‖.
        tasks: the tasks the model has.
        seed: of random draws.
        tensors: what became of every tensor of every expert.
        named: the base that each expert's files name, where they name one; not always this one where the user named it.
    """

    folder: Path
    operator: str
    options: dict[str, Any]
    weights: dict[str, float]
    base: str
    form: str
    rank: int | None
    errors: dict[str, float]
    tasks: list[str]
    seed: int
    tensors: list[TensorFate] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """What `merge.json` holds."""
        written = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("folder", "tensors")}
        return written | {"tensors": as_json(self.tensors)}


def merge(
    folders: Sequence[str | Path],
    output: str | Path,
    operator: str = "linear",
    *,
    options: Mapping[str, Any] | None = None,
    weights: Mapping[str, float] | None = None,
    base: str | None = None,
    rank: int | None = None,
    modules: str = "keep",
    seed: int = 0,
    overwrite: bool = False,
) -> Merge:
    """Merge experts of one base into one model, and write it with `merge.json`, which says how.

    A weighted sum of LoRA adapters is written as an adapter, exactly: ranks are laid side by side. Anything else is
    folded into the weights, or with `rank` brought into an adapter of that rank by SVD.

    Args:
        folders: the experts' folders (see `find_experts`); they are called what their folders are called.
        output: the folder to write: an Equipoise model if an expert is one, else what the experts are: an adapter of
            peft, or a checkpoint of transformers.
        operator: a key of `MERGE_OPERATORS`.
        options: the operator's options.
        weights: the weight of each expert; by default the operator's.
        base: the base, where the experts' files do not name it, or name it in several ways.
        rank: write an adapter of this rank.
        modules: what is done where several experts have a module for one task: "keep", "average" or "error" (see
            `combine_modules`).
        seed: of random draws.
        overwrite: replace the model that lies in the output folder; nothing else is ever replaced.

    Raises:
        UsageError: an option, a weight or a name is wrong.
        OutputError: a model lies in the output folder, or something else does, or it is or holds an expert or the base.
        ModelError: an expert cannot be read, or does not belong to the base; or nothing differs from the base.
    """
    output = Path(output)
    clean_leftovers(output.resolve())
    how = _modules(modules)

    def check_free() -> None:
        occupied = check_output(output, MODEL_OUTPUT, [(str(folder), Path(folder)) for folder in folders])
        if occupied and not overwrite:
            raise OutputError(f"{output}: found a model there; replace it with --overwrite, or choose another folder.")

    check_free()
    if rank is not None and rank < 1:
        raise UsageError(f"--rank: found {rank}, expected 1 or more.")
    merger = make_merge_operator(operator, **(options or {}))
    experts = find_experts(folders)
    names = [expert.name for expert in experts]
    if weights is None:
        weights = dict(zip(names, merger.default_weights(len(names)), strict=True))
    merger.check_weights(names, weights)
    found_base = common_base(experts, base)
    check_apart(output, [("base", Path(found_base))] if Path(found_base).is_dir() else [])
    whole = _load_base(experts, base)
    vectors = read_vectors(experts, whole)
    models = {
        expert.name: MultiTaskModel.from_pretrained(expert.folder, on=(whole.backbone, whole.tokenizer))
        for expert in experts
        if expert.kind is Kind.MODEL
    }
    combined = combine_models(models, how) if models else None
    found = {name: vector.head for name, vector in vectors.items() if vector.head is not None}
    heads = plan_heads(found, whole, how, alone=combined is not None or rank is not None)
    tensors = {name: vector.tensors | heads.changes.get(name, {}) for name, vector in vectors.items() if weights[name]}
    linear = whole.linear | heads.linear
    survey = merger.survey(tensors, linear)
    weights = {name: float(weights[name]) for name in names}
    given = {name: weights[name] for name in tensors}
    before = whole.tensors | heads.before
    merged = dict(merger.merge(tensors, given, before, seed=seed, survey=survey, linear=linear))
    if not any(tensor.any() for tensor in merged.values()):
        raise ModelError(
            f"merge: with these weights nothing differs from the base '{whole.name}'; give trained experts, or other "
            "weights."
        )
    factors = _factors(vectors, merged, merger.coefficients(given, survey), rank, whole.linear)
    made = Merge(
        folder=output,
        operator=operator,
        options=dict(options or {}),
        weights=weights,
        base=whole.name,
        form="weights" if factors is None else "adapter",
        rank=None if factors is None else max(one.down.shape[0] for one in factors.values()),
        errors={key: relative_error(one.product, merged[key]) for key, one in (factors or {}).items()},
        tasks=[] if combined is None else list(combined.tasks),
        seed=seed,
        tensors=account(experts, vectors, weights, models, combined, heads),
        named={expert.name: expert.base for expert in experts if expert.base is not None},
    )
    with writing_model(output), replace_folder(output, check_free) as target:
        if factors is None:
            _write_weights(whole, combined, heads, merged, target)
        else:
            put_factors(whole.backbone, factors, whole.name)
            _write_adapter(whole, combined, vectors, target)
        save_heads(heads.apart, target)
        copy_carried(experts, target)
        write_json(target / MERGE_RECORD, {**made.as_json(), "files": digest_folder(target)})
    return made


def _load_base(experts: Sequence[Expert], named: str | None) -> Base:
    name = common_base(experts, named)
    try:
        return Base.load(name, language_model=any(expert.language_model for expert in experts))
    except ModelError as error:
        if named is not None:
            raise
        by = next(expert for expert in experts if expert.base == name)
        raise ModelError(
            f"{by.folder}: its files name '{name}' as its base, which cannot be loaded ({str(error)[:200]}…); name the "
            "base with --base (a name or a folder), as where it was moved."
        ) from None


def _factors(
    vectors: Mapping[str, Vector],
    merged: Mapping[str, Tensor],
    coefficients: Mapping[str, float] | None,
    rank: int | None,
    linear: Collection[str],
) -> dict[str, Factors] | None:
    """Bring a merge into low rank: as asked, or exactly where that can be; None folds it into the weights."""
    if rank is not None:
        changed = {key: tensor for key, tensor in merged.items() if tensor.any()}
        check_adaptable(changed, linear)
        return {key: truncated(tensor, rank) for key, tensor in changed.items()}
    if coefficients is None:
        return None
    parts = {name: vectors[name].factors for name in coefficients}
    known = {name: factors for name, factors in parts.items() if factors is not None}
    return sum_of_factors(known, coefficients) if len(known) == len(parts) else None


def _write_weights(
    whole: Base, combined: Combined | None, heads: Heads, merged: Mapping[str, Tensor], folder: Path
) -> None:
    with whole.changed({name: change for name, change in merged.items() if name not in heads.before}):
        if combined is not None:
            combined.put_on(whole).save_pretrained(folder)
        elif heads.like is not None:
            beside = {
                name: tensor + merged[name] if name in merged else tensor for name, tensor in heads.before.items()
            }
            save_with_head(whole, heads.like, beside | heads.own, folder)
        else:
            with quiet_transformers():
                whole.backbone.save_pretrained(folder)
                whole.tokenizer.save_pretrained(folder)


def _write_adapter(whole: Base, combined: Combined | None, vectors: Mapping[str, Vector], folder: Path) -> None:
    if combined is not None:
        combined.put_on(whole).save_pretrained(folder)
        return
    with quiet_transformers():
        whole.backbone.save_pretrained(folder)
    outer = {vector.outer for vector in vectors.values()}
    if len(outer) == 1:
        name_as_trained(folder, outer.pop())


def _modules(given: str) -> Modules:
    if given not in list(Modules):
        raise UsageError(f"--modules: found '{given}', expected one of {', '.join(Modules)}.")
    return Modules(given)
