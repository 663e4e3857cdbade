"""One model of several experts."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, Unpack, cast

from torch import Tensor

from equipoise.config import load_config
from equipoise.digests import digest_folder
from equipoise.disk import writing_model
from equipoise.errors import OVERWRITE, EquipoiseWarning, ModelError, OutputError
from equipoise.files import replace_folder, write_json
from equipoise.modeling import MERGE_RECORD, MODEL_OUTPUT
from equipoise.outputs import check_apart, check_output
from equipoise.temporaries import clean_leftovers
from equipoise.workspace import inputs_of

from .accounting import TensorFate, as_json
from .collecting import ExpertRows, collect_statistics
from .experts import common_base, find_experts
from .inputs import MergeInputs, check_read
from .low_rank import Factors, check_adaptable, relative_error, sum_of_factors, truncated
from .method import MergeMethod, MergeOptions
from .operators import Reuse
from .writing import write_model


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
        rows: by expert and task how many rows were read for statistics of its data; nothing where none were.
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
    rows: dict[str, dict[str, int]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """What `merge.json` holds."""
        written = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("folder", "tensors")}
        return written | {"tensors": as_json(self.tensors)}


def merge(
    folders: Sequence[str | Path],
    output: str | Path,
    operator: str = "linear",
    *,
    overwrite: bool = False,
    **how: Unpack[MergeOptions],
) -> Merge:
    """Merge experts of one base into one model, and write it with `merge.json`, which says how.

    A weighted sum of LoRA adapters is written as an adapter, exactly: ranks are laid side by side. Anything else is
    folded into the weights, or with `rank` brought into an adapter of that rank by SVD.

    Args:
        folders: the experts' folders (see `find_experts`); they are called what their folders are called.
        output: the folder to write: an Equipoise model if an expert is one, else what the experts are: an adapter of
            peft, or a checkpoint of transformers.
        operator: a key of `MERGE_OPERATORS`.
        overwrite: replace the model that lies in the output folder; nothing else is ever replaced.
        how: `options`, `weights`, `base`, `rank`, `heads`, `seed`, `data` and `data_rows`; see `MergeMethod`.

    Raises:
        UsageError: an option, a weight or a name is wrong; or the data is not that of the experts' tasks.
        DataError: a file or a label of the data is wrong.
        OutputError: a model lies in the output folder, or something else does, or it is or holds an expert or the base.
        ModelError: an expert cannot be read, or does not belong to the base; or nothing differs from the base.

    Example:
        >>> merge(["runs/experts/polarity", "runs/experts/irony"], "runs/both", "ties", options={"density": 0.3})
        >>> merge(["runs/experts/polarity", "runs/experts/irony"], "runs/fisher", "fisher", data="experts.yaml")
    """
    output = Path(output)
    clean_leftovers(output.resolve())
    method = MergeMethod(operator, **_with_current_names(how))
    config = load_config(method.data) if isinstance(method.data, str | Path) else method.data
    read = [(str(folder), Path(folder)) for folder in folders] + ([] if config is None else inputs_of(config))
    check_free = partial(_check_free, output, read, overwrite)
    check_free()
    experts = find_experts(folders)
    weights = method.weigh([expert.name for expert in experts])
    base = common_base(experts, method.base)
    check_apart(output, [("base", Path(base))] if Path(base).is_dir() else [])
    if config is not None:
        check_read(experts, method.operator)
    inputs = MergeInputs.read(experts, weights, method)
    result = _combine(inputs, method, None if config is None else inputs.expert_rows(config))
    made = _describe(inputs, method, result, output)
    with writing_model(output), replace_folder(output, check_free) as target:
        write_model(inputs, result.tensors, result.factors, target)
        write_json(target / MERGE_RECORD, {**made.as_json(), "files": digest_folder(target)})
    return made


def _with_current_names(how: MergeOptions) -> MergeOptions:
    options: dict[str, Any] = dict(how)
    if "modules" in options:
        warnings.warn("merge: the argument `modules` is now `heads`.", EquipoiseWarning, stacklevel=3)
        options.setdefault("heads", options.pop("modules"))
    return cast(MergeOptions, options)


def _check_free(output: Path, read: Sequence[tuple[str, Path]], overwrite: bool) -> None:
    occupied = check_output(output, MODEL_OUTPUT, read)
    if occupied and not overwrite:
        raise OutputError(f"{output}: found a model there; replace it with {OVERWRITE}, or choose another folder.")


@dataclass(frozen=True)
class _Result:
    """The merged task vector, the same as products of two where it is an adapter, and the rows read for statistics."""

    tensors: dict[str, Tensor]
    factors: dict[str, Factors] | None
    rows: dict[str, dict[str, int]]


def _combine(inputs: MergeInputs, method: MergeMethod, data: Mapping[str, ExpertRows] | None) -> _Result:
    """Merge the task vectors of the experts that have a weight."""
    vectors, linear, merger = inputs.task_vectors, inputs.linear, method.merger
    weights = {name: inputs.weights[name] for name in vectors}
    known = None if data is None else collect_statistics(merger, inputs.base, data, method.sample)
    global_stats = merger.global_stats(vectors, linear)
    merged = dict(
        merger.merge(
            vectors, weights, inputs.tensors, known, seed=method.seed, linear=linear, reuse=Reuse(global_stats)
        )
    )
    if not any(tensor.any() for tensor in merged.values()):
        raise ModelError(
            f"merge: with these weights nothing differs from the base '{inputs.base.name}'; give trained experts, or "
            "other weights."
        )
    factors = _factors(inputs, merged, merger.coefficients(weights, global_stats), method.rank)
    rows = {name: expert.count(method.data_rows) for name, expert in (data or {}).items()}
    return _Result(merged, factors, rows)


def _describe(inputs: MergeInputs, method: MergeMethod, result: _Result, output: Path) -> Merge:
    factors = result.factors
    return Merge(
        folder=output,
        operator=method.operator,
        options=dict(method.options or {}),
        weights=dict(inputs.weights),
        base=inputs.base.name,
        form="weights" if factors is None else "adapter",
        rank=None if factors is None else max(one.down.shape[0] for one in factors.values()),
        errors={key: relative_error(one.product, result.tensors[key]) for key, one in (factors or {}).items()},
        tasks=[] if inputs.combined is None else list(inputs.combined.tasks),
        seed=method.seed,
        tensors=inputs.account(),
        named={expert.name: expert.base for expert in inputs.experts if expert.base is not None},
        rows=result.rows,
    )


def _factors(
    inputs: MergeInputs, merged: Mapping[str, Tensor], coefficients: Mapping[str, float] | None, rank: int | None
) -> dict[str, Factors] | None:
    """Bring a merge into low rank: as asked, or exactly where that can be; None folds it into the weights."""
    if rank is not None:
        changed = {key: tensor for key, tensor in merged.items() if tensor.any()}
        check_adaptable(changed, inputs.base.linear)
        return {key: truncated(tensor, rank) for key, tensor in changed.items()}
    if coefficients is None:
        return None
    parts = {name: inputs.vectors[name].factors for name in coefficients}
    known = {name: factors for name, factors in parts.items() if factors is not None}
    return sum_of_factors(known, coefficients) if len(known) == len(parts) else None
