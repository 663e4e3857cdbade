"""From a trained model's folder to an exported one."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from equipoise.config import RunConfig, load_config
from equipoise.data import Table, load_table
from equipoise.errors import OVERWRITE, EquipoiseError, ModelError, OutputError, UsageError, list_some
from equipoise.files import replace_folder
from equipoise.modeling import MultiTaskModel, fold_adapter, has_adapter, is_quantized, load
from equipoise.onnx import GRAPH, ONNX_OUTPUT, load_onnx
from equipoise.outputs import check_output
from equipoise.temporaries import clean_leftovers
from equipoise.workspace import inputs_of

from .checking import check_graphs, refuse_differences
from .measuring import Loss, compare_scores
from .writing import quantize, write_facts, write_graphs

_BATCH_SIZE = 64


@dataclass(frozen=True)
class Export:
    """What was exported.

    Args:
        folder: where it lies.
        precision: "fp32" or "int8".
        differences: for each task the largest difference between the predictions of the fp32 graph and those of the
            model, on the texts it was checked by; of scores divided by the largest score, where that is above 1.
        int8_differences: the same for the int8 graph; empty in fp32.
        losses: what each task loses on dev in int8; empty where there is no dev.
        notes: what was left out: plain sentences.
        bytes: size of the graph, and of the model's weights.
    """

    folder: Path
    precision: Literal["fp32", "int8"]
    differences: dict[str, float]
    int8_differences: dict[str, float]
    losses: tuple[Loss, ...]
    notes: tuple[str, ...]
    bytes: int


def export_onnx(
    model: str | Path,
    output: str | Path,
    *,
    int8: bool = False,
    data: str | Path | RunConfig | None = None,
    overwrite: bool = False,
) -> Export:
    """Export a trained model as one ONNX graph with all heads, which `equipoise.load` runs without torch.

    The folder holds the graph, the tokenizer, and `onnx.json` with tasks, settings and digests. The graph gives each
    task's predictions: probabilities, or scores in the user's units. Before anything is written its predictions are
    compared with those of the model, on texts of the starter corpus, if that was fetched, and on built-in ones.

    Args:
        model: the folder of a model, or of its run.
        output: the folder to write.
        int8: hold the matrices in 8 bits (dynamic quantization of onnxruntime, a scale per column), and measure on dev
            what each task loses.
        data: a run file with the data of the model's tasks; by default the `config.yaml` of the model's run.
        overwrite: replace an exported model that lies in the output folder; nothing else is ever replaced.

    Raises:
        UsageError: a package is missing, or `data` is given without `int8`.
        ModelError: there is no model, it cannot be exported, or the graph's predictions differ by more than 1e-4.
        DataError: a file or a label of the data is wrong.
        OutputError: something lies in the output folder, or it is or holds the model.

    Examples:
        >>> import equipoise
        >>> export = equipoise.export_onnx("runs/reviews", "exported")
        >>> sorted(equipoise.load("exported").tasks)
        ['stars', 'topic']
    """
    if data is not None and not int8:
        raise UsageError("data: found a run file, which is read to measure what int8 costs; give int8 (--int8), too.")
    _check_packages()
    folder, output = Path(model), Path(output)
    clean_leftovers(output.resolve())
    config = load_config(data) if isinstance(data, str | Path) else data
    read = [("MODEL", folder), *([] if config is None else inputs_of(config))]
    check_free = partial(_check_free, output, read, overwrite)
    check_free()
    trained = load(folder, "cpu").model
    _refuse(trained)
    if has_adapter(trained.backbone):
        fold_adapter(trained.backbone)
    table, notes = _find_data(trained, config, folder) if int8 else (None, ())
    with replace_folder(output, check_free) as target:
        network, rows = write_graphs(trained, target)
        differences = check_graphs(network, rows, target)
        refuse_differences(differences)
        write_facts(trained, target, "fp32")
        rounded: dict[str, float] = {}
        losses: tuple[Loss, ...] = ()
        if int8:
            exact = load_onnx(target)
            quantize(target)
            write_facts(trained, target, "int8")
            rounded = check_graphs(network, rows, target)
            losses = () if table is None else compare_scores(exact, load_onnx(target), table, _BATCH_SIZE)
        size = (target / GRAPH).stat().st_size
    return Export(output, "int8" if int8 else "fp32", differences, rounded, losses, notes, size)


def _check_packages() -> None:
    if missing := [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]:
        raise UsageError(
            f"export: found no package {' and no package '.join(missing)}, which writing and checking an ONNX graph "
            "need; install them: pip install 'equipoise[onnx]'."
        )


def _check_free(output: Path, read: Sequence[tuple[str, Path]], overwrite: bool) -> None:
    if check_output(output, ONNX_OUTPUT, read) and not overwrite:
        raise OutputError(
            f"{output}: found an exported model there; replace it with {OVERWRITE}, or choose another folder."
        )


def _refuse(model: MultiTaskModel) -> None:
    """Refuse what no graph can be made of.

    Raises:
        ModelError: tasks write text or are prompted, or read pairs of tokens; or the model is held in 4 bits.
    """
    reasons = {
        "they prompt a language model (format: prompt) or write text": [
            name for name, task in model.tasks.items() if task.is_prompted or task.writes_text
        ],
        "they read pairs of tokens": [name for name in model.tasks if model.head(name).reads_rows],
    }
    problems = [f"{list_some(names)}: {reason}" for reason, names in reasons.items() if names]
    if problems:
        raise ModelError(
            f"tasks that cannot be exported: {'; '.join(problems)}. Train the other tasks in a run of their own, and "
            "export that."
        )
    if is_quantized(model.backbone):
        raise ModelError("model: its backbone is held in 4 bits, which ONNX has not; train without quantization.")
    if not model.tokenizer.is_fast:
        raise ModelError(
            f"model: its tokenizer ({type(model.tokenizer).__name__}) has no tokenizer.json, which is read where there "
            "is no transformers; choose a backbone with a fast tokenizer, such as minilm."
        )


def _find_data(model: MultiTaskModel, config: RunConfig | None, folder: Path) -> tuple[Table | None, tuple[str, ...]]:
    """Return the data to measure by, and why there is none."""
    if config is not None:
        return load_table(config, fitted=model.tasks), ()
    beside = [place / "config.yaml" for place in (folder, folder.absolute().parent)]
    found = next((path for path in beside if path.is_file()), None)
    if found is None:
        return None, ("What int8 costs was not measured: there is no run file; give one (--data RUN.yaml).",)
    try:
        return load_table(load_config(found), fitted=model.tasks), ()
    except EquipoiseError as error:
        return None, (f"What int8 costs was not measured: {error}",)
