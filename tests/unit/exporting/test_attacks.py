"""What somebody may send instead of a bundle: each is refused, by its own words, before loading."""

import hashlib
import io
import json
import pickle
import stat
import zipfile

import orjson
import pytest

from app.core.errors import InvalidInput
from app.core.hashing import sha256_of_file
from app.exporting import archive
from app.exporting.bundle_file import BundleFacts

pytestmark = pytest.mark.req("goal-65", "goal-67")

BOOM = []


def boom():
    BOOM.append("a pickle was loaded")


class Evil:
    def __reduce__(self):
        return (boom, ())


def refusal(opened, path, code="bundle_refused", **options):
    with pytest.raises(InvalidInput) as refused:
        opened(path, **options)
    problem = refused.value.problem()
    assert problem["code"] == code, problem["detail"]
    assert problem["remedy"]
    return problem["detail"]


def sealed(made, **changed):
    """As somebody forges it who makes every hash fit."""
    files = {n: c for n, c in (made.files | changed).items() if c is not None}
    manifest = orjson.loads(files["manifest.json"])
    own = files.keys() - {"manifest.json", "bundle.json", "probe.json"}
    manifest["files"] = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(own)}
    files["manifest.json"] = orjson.dumps(manifest)
    facts = BundleFacts.model_validate_json(files["bundle.json"]).model_copy(
        update={
            "manifest_sha256": hashlib.sha256(files["manifest.json"]).hexdigest(),
            "probe_sha256": hashlib.sha256(files["probe.json"]).hexdigest(),
        }
    )
    files["bundle.json"] = facts.model_copy(update={"digest": facts.own_digest()}).to_json()
    return files


def written(path, files):
    with path.open("wb") as stream:
        archive.write_zip(stream, files)
    return path


def test_a_whole_bundle_opens_and_says_what_it_said(made, opened, tmp_path):
    path = made.write(tmp_path / "b.zip")
    bundle = opened(path, sha256=sha256_of_file(path))
    assert (bundle.facts.name, bundle.facts.number) == ("made", 2)
    assert bundle.probe.check(bundle.model) < 1e-9
    assert path.read_bytes() == made.write(tmp_path / "again.zip").read_bytes()
    # the forger's tool below makes hashes fit: what it changes is found by other means
    assert opened(written(tmp_path / "sealed.zip", sealed(made))).facts.name == "made"


def test_any_altered_byte_is_noticed(made, opened, tmp_path):
    for name, content in made.files.items():
        changed = bytearray(content)
        place = len(changed) // 2
        changed[place] ^= 1
        with pytest.raises(InvalidInput) as refused:
            opened(made.write(tmp_path / "b.zip", **{name: bytes(changed)}))
        code = refused.value.problem()["code"]
        # a changed byte of JSON may make it unreadable before its hash is looked at
        assert code == "bundle_altered" or (code == "bundle_refused" and name == "bundle.json"), (
            name
        )


def test_bytes_of_the_archive_itself(made, opened, tmp_path):
    path = made.write(tmp_path / "b.zip")
    whole = path.read_bytes()
    refusal(opened, path, "bundle_altered", sha256="0" * 64)
    path.write_bytes(whole[: len(whole) // 2])
    assert "no zip archive, or is damaged" in refusal(opened, path)
    broken = bytearray(whole)
    broken[len(whole) // 3] ^= 0xFF
    path.write_bytes(bytes(broken))
    refusal(opened, path)


def test_a_foreign_zip(opened, tmp_path):
    path = written(tmp_path / "foreign.zip", {"data.csv": b"a,b\n"})
    assert "is no bundle: it has no bundle.json" in refusal(opened, path)


def test_files_that_no_manifest_names_or_that_are_missing(made, opened, tmp_path):
    path = made.write(tmp_path / "b.zip", **{"weights/more.skops": b"x"})
    assert "more.skops" in refusal(opened, path)
    path = made.write(tmp_path / "b.zip", **{"card.md": None})
    assert "lacks 'card.md'" in refusal(opened, path)


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/evil",
        "weights/../../evil",
        "a\\..\\evil",
        "./evil",
        "a//b",
        "C:evil",
        "x" * 400,
    ],
)
def test_paths_that_lead_elsewhere(made, opened, tmp_path, name):
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w") as bundle:
        for known, content in made.files.items():
            bundle.writestr(known, content)
        bundle.writestr(zipfile.ZipInfo(name), b"x")
    assert "a file with the name" in refusal(opened, path)
    assert not list(tmp_path.rglob("evil"))


def test_links_doubles_and_locks(made, opened, tmp_path):
    path = tmp_path / "b.zip"
    link = zipfile.ZipInfo("weights/link.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr(link, "/etc/passwd")
    assert "is a link" in refusal(opened, path)
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("a.json", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            bundle.writestr("a.json", b"2")
    assert "twice" in refusal(opened, path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as bundle:
        bundle.writestr("a.json", b"1")
    assert "packed in an unusual way" in refusal(opened, path)


def test_a_bomb_ends_early(opened, tmp_path, monkeypatch):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("weights/zeros.json", b"\0" * (40 << 20))
    assert path.stat().st_size < 100_000
    assert "unfolds to more than" in refusal(opened, path)
    assert sum(f.stat().st_size for f in tmp_path.rglob("zeros.json")) <= 17 << 20
    monkeypatch.setattr(archive, "MAX_FILES", 3)
    assert "files; 3 are allowed" in refusal(opened, written(path, dict.fromkeys("abcd", b"")))


@pytest.mark.parametrize("name", ["weights/target-0.pkl", "weights/model.joblib", "setup.py"])
def test_kinds_of_files_that_run_are_refused_by_name(made, opened, tmp_path, name):
    files = sealed(made, **{name: pickle.dumps(Evil())})
    assert "a kind of file that no bundle has" in refusal(
        opened, written(tmp_path / "b.zip", files)
    )
    assert BOOM == []


def test_a_pickle_under_a_safe_name_is_never_loaded(made, opened, tmp_path):
    for name in ("weights/target-0.skops", "weights/targets.json", "weights/scaling-0.safetensors"):
        files = sealed(made, **{name: pickle.dumps(Evil())})
        assert "cannot be loaded" in refusal(opened, written(tmp_path / "b.zip", files))
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as skops:
        skops.writestr("schema.json", json.dumps(_schema("builtins", "eval")))
    files = sealed(made, **{"weights/target-0.skops": inner.getvalue()})
    refused = _code(opened, written(tmp_path / "b.zip", files))
    assert refused in ("bundle_refused", "invalid_input")
    assert BOOM == []


def _code(opened, path):
    with pytest.raises(InvalidInput) as refused:
        opened(path)
    return refused.value.problem()["code"]


def _schema(module, name):
    """Of skops: an object of a type that is not allowed."""
    return {
        "__class__": name,
        "__module__": module,
        "__loader__": "TypeNode",
        "__id__": 1,
        "protocol": 2,
        "_skops_version": "0.16",
    }


def test_an_unknown_algorithm(made, opened, tmp_path):
    manifest = orjson.loads(made.files["manifest.json"]) | {"algorithm": "os.system"}
    files = sealed(made, **{"manifest.json": orjson.dumps(manifest)})
    assert _code(opened, written(tmp_path / "b.zip", files)) == "unknown_name"


def test_weights_of_another_model_are_found_out(made, opened, tmp_path):
    probe = orjson.loads(made.files["probe.json"])
    probe["values"][3][0] *= 1.01
    files = sealed(made, **{"probe.json": orjson.dumps(probe)})
    bundle = opened(written(tmp_path / "b.zip", files))
    with pytest.raises(InvalidInput, match="not predicted as they were") as refused:
        bundle.probe.check(bundle.model)
    assert refused.value.problem()["code"] == "bundle_predicts_otherwise"
