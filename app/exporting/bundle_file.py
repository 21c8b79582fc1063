"""The bundle: a zip of the model's folder, with what its database row says and a probe.

bundle.json    name, metrics, the training request; hashes of the manifest and of the probe
signature.json who made it, where that installation has a key (app/exporting/signing.py)
probe.json     real rows and their predictions
manifest.json  what the model is, and the SHA-256 of each of its files
weights/, assessment/, report.html, card.md, metrics.json, ...
"""

import hashlib
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.core.errors import InvalidInput
from app.core.hashing import canonical_json, sha256_of_file
from app.db.models import ModelVersionRow
from app.exporting.archive import unpack
from app.exporting.folder import MANIFEST, load_folder, refused
from app.exporting.probe import Probe
from app.exporting.signing import ANYBODY, SIGNATURE, Signature, Trust
from app.models.bundle import BundleManifest, ModelBundle
from app.storage.base import Storage

FACTS, PROBE = "bundle.json", "probe.json"
#: what weights and assessors are stored in; nothing that runs when it is read
_WEIGHTS = (".skops", ".safetensors", ".parquet", ".json", ".txt", ".ubj", ".cbm")
_OTHERS = (".json", ".parquet", ".csv", ".html", ".md", ".svg", ".png", ".txt")
_FOLDERS = ("weights/", "assessment/")
_MAX_JSON = 64 << 20
_UNTRUSTED = (
    "Let whom you trust export it, or have the operator name the signer's public key in "
    "RETORT_TRUSTED_SIGNERS."
)

ModelT = TypeVar("ModelT", bound=BaseModel)


class BundleFacts(BaseModel):
    """What the row of the model says; `digest` covers the rest."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    format: Literal["retort-bundle"] = "retort-bundle"
    format_version: Literal[1] = 1
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    number: int = Field(ge=1)
    training_config: dict[str, Any]
    targets: list[dict[str, Any]]
    metrics: dict[str, Any]
    device: str
    manifest_sha256: str
    probe_sha256: str
    digest: str = ""

    @classmethod
    def of(cls, row: ModelVersionRow, probe: bytes) -> Self:
        facts = cls(
            name=row.name,
            number=row.number,
            training_config=row.training_config,
            targets=row.targets,
            metrics=row.metrics,
            device=row.device,
            manifest_sha256=row.sha256,
            probe_sha256=hashlib.sha256(probe).hexdigest(),
        )
        return facts.model_copy(update={"digest": facts.own_digest()})

    def own_digest(self) -> str:
        rest = self.model_dump(mode="json", exclude={"digest"})
        return hashlib.sha256(canonical_json(rest)).hexdigest()

    def to_json(self) -> bytes:
        return canonical_json(self.model_dump(mode="json"))


def copy_folder(storage: Storage, manifest_key: str, folder: Path) -> BundleManifest:
    """The model's manifest and every file that it names, below `folder`, hashes checked."""
    data = storage.read(manifest_key)
    manifest = BundleManifest.model_validate_json(data)
    prefix = manifest_key.rpartition("/")[0]
    for name, expected in manifest.files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(storage.read(f"{prefix}/{name}"))
        if sha256_of_file(target) != expected:
            raise InvalidInput(
                f"the model file {name} is not the one that was stored", code="model_altered"
            )
    (folder / MANIFEST).write_bytes(data)
    return manifest


class OpenBundle:
    """A bundle that was checked, unfolded in a folder of the caller's."""

    def __init__(
        self,
        folder: Path,
        facts: BundleFacts,
        probe: Probe,
        model: ModelBundle,
        signed_by: str | None,
    ) -> None:
        self.folder = folder
        self.facts = facts
        self.probe = probe
        self.model = model
        #: public key (base64) of who has signed it; None: nobody has
        self.signed_by = signed_by

    @classmethod
    def unpack(
        cls, path: Path, folder: Path, *, sha256: str | None = None, trust: Trust = ANYBODY
    ) -> Self:
        """Raises InvalidInput for any file that is not a whole and unaltered bundle, or not of
        somebody whom `trust` names. The model is loaded by the safe formats only.
        """
        if sha256 is not None and sha256_of_file(path) != sha256:
            raise altered("the file's SHA-256 is not the one that the request gives")
        names = unpack(path, folder)
        missing = {FACTS, PROBE, MANIFEST} - names
        if missing:
            raise refused(f"the archive is no bundle: it has no {', '.join(sorted(missing))}")
        facts = _facts(folder / FACTS)
        signed_by = _signed_by(folder, trust)
        if sha256_of_file(folder / MANIFEST) != facts.manifest_sha256:
            raise altered(f"{MANIFEST} is not the one that was exported")
        if sha256_of_file(folder / PROBE) != facts.probe_sha256:
            raise altered(f"{PROBE} is not the one that was exported")
        _check_files(folder, names - {FACTS, PROBE, MANIFEST, SIGNATURE})
        probe = _parsed(Probe, folder / PROBE)
        model = load_folder(folder, facts.manifest_sha256)
        return cls(folder, facts, probe, model, signed_by)


def altered(detail: str) -> InvalidInput:
    return InvalidInput(detail, code="bundle_altered")


def _facts(path: Path) -> BundleFacts:
    facts = _parsed(BundleFacts, path)
    if facts.digest != facts.own_digest():
        raise altered(f"{FACTS} is not the one that was exported")
    return facts


def _signed_by(folder: Path, trust: Trust) -> str | None:
    path = folder / SIGNATURE
    signature = _parsed(Signature, path) if path.exists() else None
    if signature is not None and not signature.is_of((folder / FACTS).read_bytes()):
        raise altered(f"{SIGNATURE} is not that of this bundle")
    if (why := trust.refusal(signature)) is not None:
        raise refused(why, remedy=_UNTRUSTED)
    return None if signature is None else signature.public_key


def _parsed(cls: type[ModelT], path: Path) -> ModelT:
    if path.stat().st_size > _MAX_JSON:
        raise refused(f"{path.name} has more than {_MAX_JSON:,} bytes")
    try:
        return cls.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = "/".join(map(str, first["loc"]))
        raise refused(f"{path.name} is not that of a bundle: {place}: {first['msg']}") from error


def _check_files(folder: Path, names: set[str]) -> None:
    """Each is one that the manifest names, has its hash, and an ending that is safe to read."""
    manifest = _parsed(BundleManifest, folder / MANIFEST)
    strange = sorted(names - manifest.files.keys())
    missing = sorted(manifest.files.keys() - names)
    if strange or missing:
        what = f"holds {strange[0]!r}, which" if strange else f"lacks {missing[0]!r}, which"
        says = "its manifest does not name" if strange else "its manifest names"
        raise refused(f"the archive {what} {says}")
    for name, expected in manifest.files.items():
        if not name.endswith(_WEIGHTS if name.startswith(_FOLDERS) else _OTHERS):
            raise refused(f"the archive holds {name!r}, a kind of file that no bundle has")
        if sha256_of_file(folder / name) != expected:
            raise altered(f"{name} is not the one that was exported")
