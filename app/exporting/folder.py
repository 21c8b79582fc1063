"""A model in a folder: manifest.json beside weights/ and assessment/. Needs no server."""

from pathlib import Path

from app.core.errors import InvalidInput
from app.core.problems import problem_type
from app.models.bundle import ModelBundle
from app.storage.local import LocalStorage

MANIFEST = "manifest.json"


def load_folder(folder: Path, sha256: str | None = None) -> ModelBundle:
    """Raises InvalidInput for files that were altered, or are not what their ending says."""
    storage = LocalStorage(folder.parent)
    try:
        return ModelBundle.load(storage, f"{folder.name}/{MANIFEST}", expected_sha256=sha256)
    except InvalidInput:
        raise
    except Exception as error:
        # each library has errors of its own for bytes that it cannot read
        said = f"{type(error).__name__}: {error}"
        raise refused(f"the bundle's weights cannot be loaded: {said}"[:300]) from error


def refused(detail: str, *, remedy: str | None = None) -> InvalidInput:
    known = problem_type("bundle_refused").remedy
    return InvalidInput(detail, code="bundle_refused", remedy=remedy or known)
