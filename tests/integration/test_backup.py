"""What a backup holds is what a restore gives back: every job, every blob, and none counted ill."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from importlib import resources as package_files
from pathlib import Path

import psycopg
import pytest

from app.core.errors import Conflict, InvalidInput, NotFound, Retryable
from app.core.ids import new_id
from app.core.settings import get_settings
from app.core.work import ChunkSpec, FanOut, Outcome
from app.db.base import DEFAULT_PROJECT_ID
from app.db.database import Database
from app.db.files import FileRow
from app.integrity.blobs import missing_blobs
from app.integrity.records import broken_rules
from app.jobs import chunks as chunk_store
from app.jobs.claim import Owner, claim_finalize, claim_job
from app.jobs.finish import end_badly, succeed
from app.jobs.restored import release_all
from app.jobs.store import get_job, list_attempts, list_chunks, list_events
from app.jobs.submit import NewJob, submit_job
from app.jobs.sweeper import sweep
from app.storage import build_storage, keys
from app.storage.local import LocalStorage
from tests.support.s3 import new_bucket, s3_server
from workers.backup.__main__ import main
from workers.backup.create import create
from workers.backup.manifest import BackupFolder
from workers.backup.programs import connection, find_programs
from workers.backup.restore import TOPS, restore
from workers.embedded.home import Home
from workers.embedded.state import only_supervisor
from workers.servers import PostgresServer

ROOT = Path(__file__).resolve().parents[2]
OWNER = Owner(worker="cpu@lost#1", pid=1)
LIMIT = chunk_store.TimeLimit(base=60, per_row=1)


# ---- a cluster in every state


def submit(db, kind="predict", **changes):
    values = {"queue": "cpu", "params": {}, "created_by": "ana", **changes}
    return submit_job(db, NewJob(project_id=DEFAULT_PROJECT_ID, kind=kind, **values)).job


def claim(db, job):
    return claim_job(db, job.id, OWNER, lease_seconds=60)


def now(db, job):
    return get_job(db, DEFAULT_PROJECT_ID, job.id)


def divide(resources, chunks):
    """A running divided job with the parts of its plan in the blob store."""
    job = claim(resources.database, submit(resources.database))
    specs = []
    for number in range(chunks):
        key = keys.work(job.id, job.attempt, f"parts/{number}")
        resources.storage.write(key, f"part {number}".encode())
        specs.append(ChunkSpec(source={"key": key}, start_row=0, stop_row=10))
    chunk_store.fan_out(resources.database, job, FanOut(chunks=specs), LIMIT)
    return job


def take(resources, job, number):
    return chunk_store.claim_chunk(resources.database, job.id, number, OWNER, lease_seconds=60)


def end_chunk(resources, job, number):
    chunk = take(resources, job, number)
    key = keys.work(job.id, job.attempt, f"done/{number}")
    resources.storage.write(key, b"x")
    chunk_store.finish_chunk(resources.database, chunk, {"key": key})


def file_of(resources, job, content):
    """A blob, then the row that makes it visible."""
    key = keys.predictions(job.id, job.attempt, "predictions.csv")
    resources.storage.write(key, content)
    return FileRow(
        id=new_id(),
        name="predictions.csv",
        media_type="text/csv",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        storage_key=key,
        role="predictions",
        job_id=job.id,
    )


def succeeded(resources, content=b"smiles,y\nCCO,1\n"):
    job = claim(resources.database, submit(resources.database))
    row = file_of(resources, job, content)
    outcome = Outcome(result={"rows": 1}, commit=lambda session: session.add(row))
    succeed(resources.database, job, outcome)
    return job


@pytest.fixture
def scene(resources):
    """One job in each state, by name."""
    db = resources.database
    jobs = {"succeeded": succeeded(resources), "queued": submit(db)}
    jobs["running"] = claim(db, submit(db))
    jobs["waiting"] = submit(db, needs=[jobs["running"].id])
    jobs["failed"] = claim(db, submit(db))
    end_badly(db, jobs["failed"], InvalidInput("no such column"))
    jobs["retrying"] = claim(db, submit(db))
    end_badly(db, jobs["retrying"], Retryable("the disk is full", after=0.01))
    jobs["divided"] = divide(resources, chunks=3)
    end_chunk(resources, jobs["divided"], 0)
    take(resources, jobs["divided"], 1)
    jobs["ending"] = divide(resources, chunks=1)
    end_chunk(resources, jobs["ending"], 0)
    claim_finalize(db, jobs["ending"].id, OWNER, lease_seconds=60)
    return jobs


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "backup"


@pytest.fixture
def back_up(resources, folder):
    """`make backup`, which must end well."""

    def run():
        assert main(["create", str(folder)]) == 0
        return BackupFolder(folder).manifest()

    return run


@pytest.fixture
def give_back(resources, folder):
    """`make restore`: its exit code. Nothing of the cluster runs meanwhile."""

    def run(*words):
        resources.database.dispose()
        return main(["restore", str(folder), *words])

    return run


def wipe(resources):
    """The disks are lost."""
    execute(
        resources, "DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP SCHEMA optuna CASCADE"
    )
    shutil.rmtree(resources.settings.storage_root)


def execute(resources, statement):
    with resources.database.cursor() as cursor:
        cursor.execute(statement)


def contents(storage):
    return {key: storage.read(key) for key in storage.list("")}


# ---- every job is accounted for


@pytest.mark.req("goal-91")
def test_every_job_and_blob_is_back_and_nothing_is_counted_ill(
    resources, scene, back_up, give_back, capsys
):
    db = resources.database
    blobs = contents(resources.storage)
    back_up()
    succeed(db, claim(db, scene["queued"]), Outcome(result={}))
    submit(db)
    succeeded(resources)
    wipe(resources)
    capsys.readouterr()

    assert give_back() == 0
    said = capsys.readouterr().out
    assert "put back: 1 jobs, 1 chunks, 1 last steps" in said
    assert "all 8 jobs" in said
    assert contents(resources.storage) == blobs
    with db.session() as session:
        (file,) = session.query(FileRow).all()
    assert file.sha256 == hashlib.sha256(resources.storage.read(file.storage_key)).hexdigest()
    states = {name: now(db, job).state for name, job in scene.items()}
    assert states == {
        "succeeded": "succeeded",
        "failed": "failed",
        "waiting": "waiting",
        "retrying": "retrying",
        "queued": "queued",
        "running": "queued",
        "divided": "running",
        "ending": "running",
    }
    assert broken_rules(db) == []

    # the sweeper sends all of it at once
    time.sleep(0.05)
    found = sweep(db, resources.settings)
    sent = {name for name, job in scene.items() if job.id in {j.id for j in found.jobs}}
    assert sent == {"queued", "running", "retrying"}
    assert {(c.job_id, c.chunk) for c in found.chunks} == {
        (scene["divided"].id, 1),
        (scene["divided"].id, 2),
    }
    assert [job.id for job in found.finalize] == [scene["ending"].id]

    # no attempt, no crash
    assert now(db, scene["running"]).attempt == 0
    assert now(db, scene["divided"]).attempt == 1
    assert [c["attempt"] for c in list_chunks(db, scene["divided"].id)] == [1, 0, 0]
    assert {now(db, job).crash_count for job in scene.values()} == {0}
    assert [a["outcome"] for a in list_attempts(db, scene["running"].id)] == ["drained"]
    last = list_events(db, scene["running"].id)[-1].data
    assert (last["trigger"], last["reason"]) == ("drain", "restored from a backup")


@pytest.mark.req("goal-91")
def test_every_job_ends_once_after_a_restore(resources, scene, back_up, give_back):
    db = resources.database
    back_up()
    wipe(resources)
    assert give_back() == 0
    time.sleep(0.05)
    for _ in range(5):
        found = sweep(db, resources.settings)
        for chunk in found.chunks:
            end_chunk(resources, now(db, scene["divided"]), chunk.chunk)
        for job in found.jobs:
            claimed = claim(db, job)
            succeed(db, claimed, Outcome(result={"attempt": claimed.attempt}))
        for job in found.finalize:
            final = claim_finalize(db, job.id, OWNER, lease_seconds=60)
            succeed(db, final, Outcome(result={}))
        execute(resources, "UPDATE jobs SET dispatched_at = now() - interval '1 hour'")
    assert broken_rules(db, quiet=True) == []
    assert now(db, scene["running"]).result == {"attempt": 1}
    assert {now(db, job).state for name, job in scene.items() if name != "failed"} == {"succeeded"}


def test_a_divided_job_that_ended_meanwhile_begins_again(
    resources, back_up, give_back, monkeypatch
):
    """The dump shows it running; its work files went away before they could be copied."""
    db = resources.database
    kept, gone = divide(resources, chunks=2), divide(resources, chunks=2)
    end_chunk(resources, kept, 0)
    end_chunk(resources, gone, 0)

    class Ending(LocalStorage):
        def list(self, prefix):
            if prefix == "work/":
                end_chunk(resources, gone, 1)
                final = claim_finalize(db, gone.id, OWNER, lease_seconds=60)
                succeed(db, final, Outcome(result={}))
                self.delete(f"work/{gone.id}/")
            return super().list(prefix)

    storage = Ending(resources.settings.storage_root)
    monkeypatch.setattr("workers.backup.create.build_storage", lambda _: storage)
    assert back_up().begin_again == (gone.id,)
    wipe(resources)
    assert give_back() == 0
    assert now(db, gone).state == "queued"
    assert (now(db, gone).attempt, list_chunks(db, gone.id)) == (0, [])
    assert [c["state"] for c in list_chunks(db, kept.id)] == ["succeeded", "queued"]
    for chunk in list_chunks(db, kept.id):
        assert resources.storage.exists(keys.work(kept.id, 1, f"parts/{chunk['chunk']}"))
    assert {job.id for job in sweep(db, resources.settings).jobs} == {gone.id}
    assert broken_rules(db) == []


def test_a_cancel_that_was_asked_for_is_kept(resources):
    db = resources.database
    job = divide(resources, chunks=2)
    take(resources, job, 0)
    execute(resources, "UPDATE jobs SET cancel_requested_at = now()")
    assert release_all(db)["chunks"] == 1
    sweep(db, resources.settings)
    assert now(db, job).state == "cancelled"


def test_release_all_twice_is_once(resources, scene):
    first = release_all(resources.database)
    again = release_all(resources.database)
    assert (first["jobs"], first["chunks"], first["last_steps"]) == (1, 1, 1)
    assert (again["jobs"], again["chunks"], again["last_steps"]) == (0, 0, 0)
    assert broken_rules(resources.database) == []


# ---- while the cluster runs


def test_no_row_of_a_backup_under_load_names_a_missing_blob(
    resources, folder, tmp_path, empty_postgres_url
):
    stop = threading.Event()
    written = []

    def write():
        while not stop.is_set():
            written.append(succeeded(resources, os.urandom(64)))

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        while len(written) < 5:
            time.sleep(0.01)
        before = len(written)
        manifest = create(resources.settings, folder).manifest
        after = len(written)
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    elsewhere = resources.settings.model_copy(
        update={"database_url": empty_postgres_url, "storage_root": tmp_path / "elsewhere"}
    )
    done = restore(elsewhere, folder)
    assert done.problems == []
    assert before <= done.jobs["succeeded"] < after, "the writers went on meanwhile"
    assert done.jobs["succeeded"] <= manifest.blob_count
    db = Database(empty_postgres_url)
    assert missing_blobs(db, build_storage(elsewhere)) == []
    db.dispose()


def test_a_blob_that_was_lost_before_is_told_by_the_backup(resources, scene, folder, capsys):
    key = f"predictions/{scene['succeeded'].id}/1/predictions.csv"
    resources.storage.delete(key)
    assert main(["create", str(folder)]) == 1
    assert f"LOST BEFORE THIS BACKUP: {key}" in capsys.readouterr().out
    assert main(["verify", str(folder)]) == 0


def test_only_new_blobs_are_copied_and_removed_ones_leave(resources, folder):
    first, second = succeeded(resources), succeeded(resources)
    made = create(resources.settings, folder)
    assert (made.copied, made.manifest.blob_count) == (2, 2)
    again = create(resources.settings, folder)
    assert (again.copied, again.copied_bytes) == (0, 0)
    resources.storage.delete(f"predictions/{first.id}/")
    third = succeeded(resources, b"new")
    last = create(resources.settings, folder)
    assert (last.copied, last.copied_bytes) == (1, 3)
    expected = {f"predictions/{job.id}/1/predictions.csv" for job in (second, third)}
    assert set(last.manifest.blobs) == expected
    assert set(BackupFolder(folder).blobs.list("")) == expected
    assert len(list(folder.glob("*.dump"))) == 1


def test_a_blob_written_anew_with_the_same_size_is_copied_again(resources, folder):
    job = succeeded(resources, b"one")
    create(resources.settings, folder)
    key = f"predictions/{job.id}/1/predictions.csv"
    resources.storage.write(key, b"two")
    assert create(resources.settings, folder).copied == 1
    assert BackupFolder(folder).blobs.read(key) == b"two"


def test_an_interrupted_backup_leaves_the_one_before_valid(
    resources, scene, back_up, folder, monkeypatch
):
    before = back_up()
    succeeded(resources, b"more")

    class Failing(LocalStorage):
        def open(self, key):
            raise Retryable("the disk went away")

    failing = Failing(resources.settings.storage_root)
    monkeypatch.setattr("workers.backup.create.build_storage", lambda _: failing)
    assert main(["create", str(folder)]) == 1
    assert BackupFolder(folder).manifest() == before
    assert main(["verify", str(folder)]) == 0
    monkeypatch.undo()
    assert back_up().blob_count == before.blob_count + 1
    assert len(list(folder.glob("*.dump"))) == 1


def test_two_backups_at_once_into_one_folder_are_refused(resources, folder):
    with BackupFolder(folder).writing(), pytest.raises(Conflict):
        create(resources.settings, folder)


# ---- verify and refuse


@contextmanager
def nothing_changed(resources):
    before = contents(resources.storage)
    jobs = counted(resources)
    yield
    assert contents(resources.storage) == before
    assert counted(resources) == jobs


def counted(resources):
    with resources.database.cursor() as cursor:
        cursor.execute("SELECT count(*) AS n, sum(attempt) AS attempts FROM jobs")
        row = cursor.fetchone()
    resources.database.dispose()
    return row


def altered(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [altered, Path.unlink, lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize("what", ["blobs/predictions/*/1/predictions.csv", "*.dump"])
def test_damage_is_named_by_verify_and_refused_by_restore(
    resources, scene, back_up, give_back, folder, capsys, what, damage
):
    back_up()
    assert main(["verify", str(folder)]) == 0
    (path,) = folder.glob(what)
    damage(path)
    capsys.readouterr()
    assert main(["verify", str(folder)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" ")[0] for line in lines] == [str(path.relative_to(folder))]
    with nothing_changed(resources):
        assert give_back("--force") == 1
    assert "damaged" in capsys.readouterr().err


def test_what_rots_in_the_folder_is_not_taken_for_good_by_the_next_backup(
    resources, scene, back_up, folder
):
    back_up()
    (path,) = folder.glob("blobs/predictions/*/1/predictions.csv")
    altered(path)
    back_up()
    assert main(["verify", str(folder)]) == 1


def test_a_folder_without_a_manifest_is_refused(
    resources, scene, back_up, give_back, folder, capsys
):
    back_up()
    (folder / "manifest.json").unlink()
    with nothing_changed(resources):
        assert give_back("--force") == 1
    assert "is not a backup" in capsys.readouterr().err
    assert main(["verify", str(folder)]) == 1


def test_a_backup_of_a_later_release_is_refused(
    resources, scene, back_up, give_back, folder, capsys
):
    back_up()
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["alembic_revision"] = "9999"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with nothing_changed(resources):
        assert give_back("--force") == 1
    assert "schema 9999" in capsys.readouterr().err


def test_a_database_with_jobs_needs_force(resources, scene, back_up, give_back, capsys):
    db = resources.database
    blobs = contents(resources.storage)
    back_up()
    later = succeeded(resources)
    with nothing_changed(resources):
        assert give_back() == 1
    said = capsys.readouterr().err
    assert "public.jobs" in said
    assert "--force" in said
    assert give_back("--force") == 0
    with pytest.raises(NotFound):
        now(db, later)
    assert contents(resources.storage) == blobs, "blobs that no row names are gone too"


def test_a_blob_store_with_other_blobs_needs_force(resources, scene, back_up, give_back, capsys):
    back_up()
    wipe(resources)
    resources.storage.write("features/x/matrix.npy", b"of another history")
    assert give_back() == 1
    assert "features/x/matrix.npy" in capsys.readouterr().err
    assert give_back("--force") == 0
    assert not resources.storage.exists("features/x/matrix.npy")


def test_force_removes_what_retort_keeps_and_nothing_else(resources, scene, back_up, give_back):
    back_up()
    resources.storage.write("elsewhere/notes.txt", b"not ours")
    assert give_back("--force") == 0
    assert resources.storage.read("elsewhere/notes.txt") == b"not ours"
    source = (package_files.files("app.storage") / "keys.py").read_text()
    named = {line.split('f"')[1].split("/")[0] for line in source.splitlines() if 'f"' in line}
    assert {f"{name}/" for name in named} == set(TOPS)


def test_a_running_cluster_is_not_restored_over(resources, scene, back_up, capsys, folder):
    back_up()
    with resources.database.cursor():
        assert main(["restore", str(folder), "--force"]) == 1
    assert "connected" in capsys.readouterr().err
    assert now(resources.database, scene["running"]).state == "running"


def test_an_empty_database_is_told_from_a_cluster(
    resources, folder, empty_postgres_url, monkeypatch, capsys
):
    monkeypatch.setenv("RETORT_DATABASE_URL", empty_postgres_url)
    get_settings.cache_clear()
    assert main(["create", str(folder)]) == 1
    assert "no tables of Retort" in capsys.readouterr().err
    assert not (folder / "manifest.json").exists()


# ---- other databases, other stores, other releases


def alembic(url, *words):
    command = [sys.executable, "-m", "alembic", *words]
    environment = os.environ | {"RETORT_DATABASE_URL": url}
    return subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    ).stdout


def test_a_backup_of_an_older_release_is_lifted(resources, folder, empty_postgres_url):
    alembic(empty_postgres_url, "upgrade", "0001")
    old = resources.settings.model_copy(update={"database_url": empty_postgres_url})
    assert create(old, folder).manifest.alembic_revision == "0001"
    resources.database.dispose()
    done = restore(resources.settings, folder)
    assert done.problems == []
    assert "(head)" in alembic(resources.settings.database_url, "current")


def test_the_optuna_schema_is_in_it(resources, back_up, give_back):
    succeeded(resources)
    execute(
        resources, "CREATE TABLE optuna.studies (id INT); INSERT INTO optuna.studies VALUES (7)"
    )
    back_up()
    wipe(resources)
    assert give_back() == 0
    with resources.database.cursor() as cursor:
        assert cursor.execute("SELECT id FROM optuna.studies").fetchall() == [{"id": 7}]


def test_an_ordinary_owner_of_a_database_can_do_both_again_and_again(
    resources, scene, back_up, folder, postgres_server
):
    """No superuser, another name than the role that owned the rows before; a restored database is
    backed up like any other.
    """
    back_up()
    with psycopg.connect(postgres_server.url_of("postgres"), autocommit=True) as server:
        server.execute("CREATE ROLE plain LOGIN PASSWORD 'p:/@s'")
        server.execute("CREATE DATABASE plain_one OWNER plain")
        where = f"postgresql://plain:p%3A%2F%40s@127.0.0.1:{postgres_server.port}/plain_one"
        settings = resources.settings.model_copy(update={"database_url": where})
        try:
            first = restore(settings, folder, force=True)
            create(settings, folder)
            second = restore(settings, folder, force=True)
        finally:
            server.execute("DROP DATABASE plain_one WITH (FORCE)")
            server.execute("DROP ROLE plain")
    assert first.problems == second.problems == []
    assert sum(first.jobs.values()) == len(scene)
    assert second.jobs == first.jobs
    assert second.released["jobs"] == 0


@pytest.fixture
def s3(tmp_path, monkeypatch):
    """Settings of a bucket of its own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # the adapter's local copies
    with s3_server() as url:
        yield new_bucket(url, f"backup-{os.getpid()}-{time.monotonic_ns()}")


def test_blobs_of_a_bucket_are_backed_up_and_given_back(resources, s3, folder):
    settings = resources.settings.model_copy(update=s3)
    bucket = resources.storage = build_storage(settings)
    succeeded(resources)
    blobs = contents(bucket)
    assert create(settings, folder).copied == 1
    assert create(settings, folder).copied == 0
    bucket.delete("")
    resources.database.dispose()
    done = restore(settings, folder, force=True)
    assert done.problems == []
    assert contents(bucket) == blobs


# ---- programs


def test_the_password_is_on_no_command_line(resources):
    where, environment = connection(resources.database)
    password = resources.database.url.password
    assert password
    assert password not in where
    assert environment["PGPASSWORD"] == password
    psycopg.connect(where, password=password).close()


def fake_programs(folder, version):
    folder.mkdir()
    for name in ("pg_dump", "pg_restore"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}.4'\n")
        program.chmod(0o755)
    return folder


def test_programs_are_at_least_as_new_as_the_server(tmp_path):
    folders = [fake_programs(tmp_path / str(version), version) for version in (14, 18, 16)]
    assert find_programs(15, folders).folder == tmp_path / "16"
    assert find_programs(18, folders).major == 18
    with pytest.raises(NotFound, match=r"PostgreSQL 19 or later \(found: 14, 16, 18\)"):
        find_programs(19, folders)
    (tmp_path / "16" / "pg_restore").unlink()
    assert find_programs(15, folders).major == 18


def test_what_a_program_says_is_shown(resources, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (broken / name).write_text("#!/bin/sh\necho 'no space left' >&2\nexit 1\n")
        (broken / name).chmod(0o755)
    programs = find_programs(0, [broken])
    with pytest.raises(Exception, match="no space left"):
        programs.dump(resources.database, tmp_path / "x.dump", snapshot="none")


# ---- the embedded cluster


@pytest.fixture
def embedded_home(server_home, monkeypatch):
    """A data folder that nothing but RETORT_HOME points to."""
    for name in ("RETORT_DATABASE_URL", "DATABASE_URL", "RETORT_STORAGE_ROOT", "MODELS_DIR"):
        monkeypatch.delenv(name, raising=False)
    home = server_home / f"home-{time.monotonic_ns()}"
    monkeypatch.setenv("RETORT_HOME", str(home))
    get_settings.cache_clear()
    return Home(home)


def test_embedded_is_found_stopped_and_running(
    resources, scene, back_up, embedded_home, tmp_path, folder, capsys
):
    settings = resources.settings
    create(settings, folder)
    blobs = contents(resources.storage)
    home = embedded_home
    assert main(["create", "--embedded", str(tmp_path / "none")]) == 1
    assert "no embedded cluster" in capsys.readouterr().err

    # a new machine: its Postgres is made, started, filled and stopped
    assert main(["restore", "--embedded", str(folder)]) == 0
    assert contents(LocalStorage(home.root / "blobs")) == blobs
    port = json.loads((home.root / "ports.json").read_text())["postgres"]

    # stopped: its Postgres runs for the backup alone
    assert main(["create", "--embedded", str(tmp_path / "second")]) == 0
    assert BackupFolder(tmp_path / "second").manifest().jobs["succeeded"] == 1

    # running: nothing is started or moved, and nothing may be restored
    server = PostgresServer(home.root / "postgres", port=port)
    try:
        server.start()
        with only_supervisor(home):
            assert main(["create", "--embedded", str(tmp_path / "third")]) == 0
            assert main(["restore", "--embedded", "--force", str(folder)]) == 1
        assert "make down" in capsys.readouterr().err
    finally:
        server.kill()
        shutil.rmtree(server.folder, ignore_errors=True)
    assert json.loads((home.root / "ports.json").read_text())["postgres"] == port
    assert BackupFolder(tmp_path / "third").manifest().blob_count == len(blobs)
