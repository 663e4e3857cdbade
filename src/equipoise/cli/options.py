"""Arguments and options that several commands share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from equipoise.errors import UsageError


def _use_device(name: str | None) -> str | None:
    if name is not None:
        try:
            from equipoise.devices import use_device
        except ModuleNotFoundError:  # exported models compute without torch, on the CPU
            if name != "cpu":
                raise UsageError(f"--device: found {name}, expected cpu: there is no torch here.") from None
            return name
        use_device(name)
    return name


RunFile = Annotated[
    Path, typer.Argument(metavar="RUN_FILE", help="The run file (YAML); `equipoise list keys` lists its keys.")
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set a key of the run file, such as train.epochs=3; may be repeated. Relative paths start in the working "
        "folder.",
    ),
]
ModelFolder = Annotated[Path, typer.Argument(metavar="MODEL", help="A model folder, or the folder of a run.")]
Templates = Annotated[
    int, typer.Option(min=1, help="Average the answers of a language model over this many prompt templates.")
]
Device = Annotated[
    str | None,
    typer.Option(
        # The command itself does not need to know the device.
        callback=_use_device,
        metavar="cpu|cuda|cuda:N|mps",
        help="Where to compute. Default: the GPU if there is one, else the CPU.",
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        metavar="fp32|bf16|fp16",
        help="In what the model computes. `bf16` is faster where the processor has it; `predict` says what it changes. "
        "`fp16` needs a GPU.",
    ),
]


def say_rounding(rounding: "Mapping[str, float] | None") -> None:
    """Note how far answers are from those in float32."""
    from equipoise.terminal import note

    if rounding:
        found = ", ".join(f"{task} {value:.2g}" for task, value in rounding.items())
        note(f"largest difference of a probability or score from float32 on the first texts, by task: {found}.")
