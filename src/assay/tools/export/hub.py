"""A folder, uploaded to the Hugging Face hub."""

from pathlib import Path

from huggingface_hub import HfApi

from assay.errors import AssayError


def push_folder(folder: Path, name: str) -> str:
    """Upload all files of ``folder`` to the repository ``name``, made private where there is none; returns its address.

    Raises AssayError, which says that the folder is kept, where the hub cannot be reached or refuses.
    """
    hub = HfApi(library_name="assay")
    try:
        repository = hub.create_repo(name, private=True, exist_ok=True)
        hub.upload_folder(repo_id=repository.repo_id, folder_path=folder, commit_message="A run of assay")
    except Exception as error:  # whatever lies between us and the hub
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise AssayError(
            f"--push {name}: the hub took nothing ({reason}); what was to be uploaded is in {folder}"
        ) from None
    return str(repository)
