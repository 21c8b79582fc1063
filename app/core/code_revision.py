"""Which code this process runs: the package's version, and the commit where it is a checkout."""

from functools import cache
from importlib import metadata
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGE = "retort-server"
_SHA_DIGITS = 40


@cache
def code_revision() -> dict[str, str | None]:
    """{"version", "revision"}; the revision is null in an installed package."""
    try:
        version = metadata.version(_PACKAGE)
    except metadata.PackageNotFoundError:
        version = None
    return {"version": version, "revision": revision_of(_ROOT)}


def revision_of(folder: Path) -> str | None:
    """The commit that is checked out in `folder`, read from git's own files; None where there is
    no checkout.
    """
    git = folder / ".git"
    if git.is_file():  # a worktree: its folder lies elsewhere
        git = folder / git.read_text().partition(":")[2].strip()
    if not (git / "HEAD").is_file():
        return None
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref:"):
        return head if len(head) >= _SHA_DIGITS else None
    ref = head.partition(":")[2].strip()
    shared = git / "commondir"
    common = (git / shared.read_text().strip()).resolve() if shared.is_file() else git
    if (common / ref).is_file():
        return (common / ref).read_text().strip()
    packed = common / "packed-refs"
    lines = packed.read_text().splitlines() if packed.is_file() else []
    return next((line.split(" ")[0] for line in lines if line.endswith(f" {ref}")), None)
