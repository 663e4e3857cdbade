"""The account of a merge: what became of every tensor of every expert."""

from collections.abc import Mapping, Sequence

import torch

from equipoise.errors import ModelError
from equipoise.modeling import MultiTaskModel

from .accounting import Fate, Places, TensorFate
from .experts import Expert, Kind
from .heads import HeadPlan, list_carried
from .own_heads import Combined
from .tensor_files import list_tensors
from .vector import Vector, check_numbers


def account(
    experts: Sequence[Expert],
    vectors: Mapping[str, Vector],
    weights: Mapping[str, float],
    models: Mapping[str, MultiTaskModel],
    combined: Combined | None,
    heads: HeadPlan,
) -> list[TensorFate]:
    """Say what becomes of every tensor of every expert's files.

    Args:
        experts: the experts.
        vectors: what they learnt.
        weights: the weight of each.
        models: those that are Equipoise models.
        combined: what these have besides their backbones, in one.
        heads: what becomes of the heads of checkpoints.

    Raises:
        ModelError: a tensor is not accounted for.
    """
    fates = []
    for expert in experts:
        vector, beside = vectors[expert.name], heads.fates.get(expert.name, {})
        changed = vector.tensors.keys() | heads.changes.get(expert.name, {}).keys()
        for tensor, place in vector.places.items():
            if place in beside:
                fate, where = beside[place]
            elif place and place not in changed:
                fate, where = Fate.UNCHANGED, place
            else:
                fate, where = (Fate.MERGED, place) if weights[expert.name] else (Fate.LEFT_OUT, "")
            fates.append(TensorFate(expert.name, tensor.file, tensor.name, fate, where))
        fates += [TensorFate(expert.name, one.file, one.name, fate, "") for one, fate in vector.aside.items()]
        if expert.kind is Kind.MODEL and combined is not None:
            fates += _fates_of_heads(expert, models[expert.name], combined)
        fates += list_carried(expert)
        # Where all tasks are asked, the file of heads holds none.
        read = {one.file for one in fates if one.expert == expert.name}
        _check_all_read(expert, read | ({"task_modules.safetensors"} if expert.kind is Kind.MODEL else set()))
    return fates


def _check_all_read(expert: Expert, read: set[str]) -> None:
    """Refuse weights that lie beside those that were read, such as a whole model beside an adapter."""
    places = {expert.folder, expert.weights}
    there = {path.relative_to(expert.folder).as_posix() for place in places for path in place.glob("*.safetensors")}
    if beside := sorted(there - read):
        article = "a" if expert.kind is Kind.CHECKPOINT else "an"
        raise ModelError(
            f"{expert.folder}: found {', '.join(beside[:3])} beside {', '.join(sorted(read)[:2])}; the folder is read "
            f"as {article} {expert.kind}, so that a merge would lose {beside[0]}; move it out of the folder."
        )


def _fates_of_heads(expert: Expert, model: MultiTaskModel, combined: Combined) -> list[TensorFate]:
    places = _places_of_heads(expert.name, model, combined)
    files = list_tensors(expert.folder, expert.folder, "task_modules")
    if lost := sorted(files.keys() - places.keys()):
        raise ModelError(
            f"{expert.folder}: '{lost[0]}' in {files[lost[0]].file} belongs to no task of equipoise.json, so that a "
            "merge would lose it; copy the folder again."
        )
    states = {task: model.head(task).state_dict() for task in model.tasks}
    check_numbers(expert.folder, {f"{task}/{key}": states[task][key] for task in states for key in states[task]})
    return [TensorFate(expert.name, files[key].file, key, *places[key]) for key in files]


def _places_of_heads(name: str, model: MultiTaskModel, combined: Combined) -> Places:
    """By a tensor's name in `task_modules.safetensors`, what becomes of it."""
    places: dict[str, tuple[Fate, str]] = {}
    for task in model.tasks:
        result = f"{task}@{name}" if f"{task}@{name}" in combined.states else task
        for key, tensor in model.head(task).state_dict().items():
            same = torch.equal(tensor, combined.states[result][key])
            places[f"task_{task}.{key}"] = (Fate.KEPT if same else Fate.AVERAGED, f"tasks/{result}/{key}")
    if model.features.pooling is not None:
        for key, tensor in model.features.pooling.state_dict().items():
            same = torch.equal(tensor, combined.pooling_state[key])
            places[f"pooling.{key}"] = (Fate.KEPT if same else Fate.AVERAGED, f"pooling/{key}")
    return places
