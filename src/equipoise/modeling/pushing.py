"""Publishing a model on the Hugging Face hub."""

import warnings
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OfflineModeIsEnabled
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from equipoise.errors import EquipoiseWarning, ModelError, UsageError

from .description import read_description
from .model_folder import CARD, CONFIG, EXPORTED, check_whole


def push(folder: str | Path, hub_id: str, *, private: bool = False, token: str | None = None) -> str:
    """Upload a model's folder to the Hugging Face hub: what was written with the model and its card, nothing else.

    The repository is made where it is missing. All files come in one commit.

    Args:
        folder: the `model` folder of a run, or the run's folder.
        hub_id: "user/name" or "organization/name".
        private: whether a repository that is made is private.
        token: the hub's token; by default the one that `hf auth login` has stored, or that HF_TOKEN holds.

    Returns:
        The address of the commit.

    Raises:
        UsageError: the id is none.
        ModelError: there is no model, it is damaged, or the hub refuses.
    """
    folder = Path(folder)
    if not (folder / CONFIG).is_file() and (folder / "model").is_dir():
        folder = folder / "model"
    if not (folder / CONFIG).is_file():
        is_exported = (folder / EXPORTED).is_file()
        found = (
            "holds an exported model" if is_exported else f"has no {CONFIG}" if folder.exists() else "does not exist"
        )
        raise ModelError(f"{folder}: {found}, expected a model; give the folder of a finished run.")
    said = read_description(folder / CONFIG)[0].model_dump()
    check_whole(folder, said)
    _check_id(hub_id)
    if not (folder / CARD).is_file():
        message = (
            f"{folder}: has no {CARD}, the model card; the model is uploaded without one. A training run writes it."
        )
        warnings.warn(message, EquipoiseWarning, stacklevel=2)
    api = HfApi(token=token, library_name="equipoise")
    names = [CONFIG, CARD, *said.get("files", {})]
    try:
        api.create_repo(hub_id, private=private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=hub_id, folder_path=folder, allow_patterns=names, commit_message="Upload a model of Equipoise"
        )
    except Exception as error:  # without a network, one of the hub's HTTP library, which its versions change
        raise ModelError(f"{hub_id}: the hub did not take the model: {_reason(error)}") from None
    return str(commit.commit_url)


def _check_id(hub_id: str) -> None:
    try:
        validate_repo_id(hub_id)
        if hub_id.count("/") != 1:
            raise HFValidationError
    except HFValidationError:
        raise UsageError(f"hub id: found '{hub_id}', expected user/name, such as 'acme/reviews'.") from None


def _reason(error: Exception) -> str:
    if isinstance(error, LocalTokenNotFoundError):
        return "no token was found; run `hf auth login`, or set HF_TOKEN."
    if isinstance(error, OfflineModeIsEnabled):
        return "the environment variable HF_HUB_OFFLINE forbids the network; unset it."
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if status in (401, 403):
        return f"the token may not write there (status {status}); run `hf auth login` with one that may."
    return (
        f"{type(error).__name__}, {str(error).splitlines()[0] if str(error) else 'no reason given'}; try again later."
    )
