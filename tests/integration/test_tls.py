"""TLS to every server by settings alone, and a certificate of another authority is refused.

Postgres and the gateway speak it themselves; the Redis that we ship was built without, so that a
front speaks it for it, as stunnel would; S3 is moto's server over TLS.
"""

import asyncio
import os
import shutil
import socket
import ssl
import subprocess
import sys

import httpx
import psycopg
import pytest
import redis.exceptions

from app.core.errors import Retryable
from app.core.redis_line import RedisLine
from app.core.settings import Settings
from app.core.tls import checked_url
from app.db.database import Database
from app.resources import Resources
from app.storage.s3 import S3Storage
from tests.support.certificates import make_certificates
from tests.support.s3 import new_bucket, s3_server
from tests.support.servers import ROOT, migrate
from tests.support.tls_front import tls_front
from tests.support.waiting import wait_for
from workers import async_redis
from workers.servers import PostgresServer, free_port

pytestmark = pytest.mark.req("S1-41", "goal-95")


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """Of an authority that signed nothing here."""
    return make_certificates(tmp_path_factory.mktemp("theirs"), "theirs")


# ---- Postgres


@pytest.fixture(scope="module")
def tls_postgres(server_home, ours):
    server = PostgresServer(server_home / "tls-postgres", durable=False)
    server.prepare()
    for name, source in (("server.crt", ours.certificate), ("server.key", ours.key)):
        shutil.copy(source, server.data / name)
        (server.data / name).chmod(0o600)
        if server.account:
            shutil.chown(server.data / name, server.account.uid, server.account.gid)
    with (server.data / "postgresql.conf").open("a") as stream:
        stream.write("ssl = on\n")
    rules = server.data / "pg_hba.conf"
    rules.write_text(rules.read_text().replace("host ", "hostssl "))
    server.start()
    yield server
    server.kill()


def test_postgres_is_reached_over_tls(tls_postgres, ours):
    url = f"{tls_postgres.url}?sslmode=verify-full&sslrootcert={ours.ca}"
    migrate(url)
    database = Database(Settings(database_url=url).database_url)
    with database.cursor() as cursor:
        cursor.execute("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        assert cursor.fetchone() == {"ssl": True, "version": "TLSv1.3"}
    with database.connect() as listening:
        assert listening.pgconn.ssl_in_use
    database.dispose()


def test_postgres_of_another_authority_is_refused(tls_postgres, theirs):
    url = f"{tls_postgres.url}?sslmode=verify-full&sslrootcert={theirs.ca}"
    database = Database(url)
    with pytest.raises(Exception, match="certificate verify failed"), database.cursor():
        pass
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        database.connect()
    database.dispose()


def test_postgres_without_tls_is_refused_by_the_server(tls_postgres):
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        psycopg.connect(f"{tls_postgres.url}?sslmode=disable")


# ---- Redis


@pytest.fixture
def tls_redis(redis_server, redis_url, ours):
    with tls_front(redis_server.port, ours) as port:
        yield redis_url.replace("redis://", "rediss://").replace(str(redis_server.port), str(port))


def test_redis_is_reached_over_tls(tls_redis, ours):
    settings = Settings(redis_url=tls_redis, redis_ca_file=str(ours.ca))
    resources = Resources(settings)
    assert resources.redis.ping()
    assert resources.cache.ping()
    assert RedisLine(resources.redis).ask(("PING",)) == [b"PONG"]

    async def ping():
        line = async_redis.AsyncLine(settings.redis_url, timeout=5)
        assert await line.ask("PING") == b"PONG"
        await line.close()
        client = async_redis.connect(settings.redis_url, timeout=5)
        answer = await client.ping()
        await async_redis.close(client)
        return answer

    assert asyncio.run(ping())


def test_redis_of_another_authority_is_refused(tls_redis, theirs):
    for ca in (str(theirs.ca), ""):
        settings = Settings(redis_url=tls_redis, redis_ca_file=ca)
        with pytest.raises(redis.exceptions.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
            Resources(settings).redis.ping()

        async def ping(url=settings.redis_url):
            await async_redis.connect(url, timeout=5).ping()

        with pytest.raises(redis.exceptions.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
            asyncio.run(ping())


_CELERY = """
import sys, threading
from workers.celery_app import celery_app
from celery.contrib.testing.worker import start_worker

celery_app.conf.update(broker_connection_retry=False, broker_connection_max_retries=0)

@celery_app.task(name="probe", ignore_result=False, queue="control")
def probe():
    return 42

if sys.argv[1] == "send":
    from workers.dispatch import Dispatcher
    probe.apply_async(retry=False)
    with celery_app.connection_for_read() as connection:
        message = connection.SimpleQueue("control").get(timeout=5)
        assert message.headers["task"] == "probe"
    celery_app.backend.store_result("an-id", {"answer": 42}, "SUCCESS")
    assert celery_app.backend.get_result("an-id") == {"answer": 42}
    print("sent and stored")
"""


def celery(tmp_path, tls_redis, ca):
    script = tmp_path / "probe.py"
    script.write_text(_CELERY)
    variables = {"RETORT_REDIS_URL": tls_redis, "RETORT_REDIS_CA_FILE": str(ca)}
    return subprocess.run(
        [sys.executable, str(script), "send"],
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_celery_s_broker_and_backend_are_reached_over_tls(tmp_path, tls_redis, ours):
    done = celery(tmp_path, tls_redis, ours.ca)
    assert done.stdout == "sent and stored\n", done.stderr[-2000:]


def test_celery_refuses_another_authority(tmp_path, tls_redis, theirs):
    done = celery(tmp_path, tls_redis, theirs.ca)
    assert done.returncode != 0
    assert "CERTIFICATE_VERIFY_FAILED" in done.stderr


@pytest.mark.parametrize(
    ("url", "ca", "expected"),
    [
        ("redis://h/0", "/ca", "redis://h/0"),
        ("rediss://:p@h:1/0", "", "rediss://:p@h:1/0?ssl_cert_reqs=required"),
        ("rediss://h/0", "/a b", "rediss://h/0?ssl_cert_reqs=required&ssl_ca_certs=/a+b"),
        ("rediss://h/0?ssl_cert_reqs=none", "", "rediss://h/0?ssl_cert_reqs=none"),
        ("amqps://h", "/ca", "amqps://h"),
        ("", "/ca", ""),
    ],
)
def test_what_is_put_into_a_url(url, ca, expected):
    assert checked_url(url, ca) == expected


# ---- S3


def test_s3_is_reached_over_tls(ours, theirs, tmp_path):
    with s3_server() as plain:
        values = new_bucket(plain, "tls-bucket")
        with tls_front(int(plain.rpartition(":")[2]), ours) as port:
            values["s3_endpoint"] = f"https://127.0.0.1:{port}"
            settings = Settings(**values, s3_ca_file=str(ours.ca))
            store = S3Storage(settings, cache_folder=tmp_path / "cache")
            store.write("a", b"over TLS")
            assert store.read("a") == b"over TLS"
            wrong = Settings(**values, s3_ca_file=str(theirs.ca))
            with pytest.raises(Retryable) as caught:
                S3Storage(wrong, cache_folder=tmp_path / "other").read("a")
            assert "CERTIFICATE_VERIFY_FAILED" in str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("sse", "key_id", "expected"),
    [("AES256", "", ("AES256", None)), ("aws:kms", "key-1", ("aws:kms", "key-1"))],
)
def test_s3_is_asked_to_encrypt(sse, key_id, expected, tmp_path):
    with s3_server() as url:
        settings = Settings(**new_bucket(url, "sse-bucket"), s3_sse=sse, s3_sse_key_id=key_id)
        store = S3Storage(settings, cache_folder=tmp_path / "cache")
        store.write("written", b"1")
        (tmp_path / "f").write_bytes(b"2")
        store.write_file("file", tmp_path / "f")
        with store.writer("stream") as stream:
            stream.write(b"3")
        for name in ("written", "file", "stream"):
            head = store.client.head_object(Bucket="sse-bucket", Key=name)
            assert (head["ServerSideEncryption"], head.get("SSEKMSKeyId")) == expected


# ---- the gateway


def _listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_gateway_speaks_tls_itself(retort_environment, ours, theirs, tmp_path):
    """By uvicorn's own variables; then browsers are told to insist on it."""
    port = free_port()
    tls = {"UVICORN_SSL_CERTFILE": str(ours.certificate), "UVICORN_SSL_KEYFILE": str(ours.key)}
    command = ["-m", "uvicorn", "api.main:create_api", "--factory", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env={**os.environ, **retort_environment, **tls},
            stdout=log,
            stderr=log,
        )
    url = f"https://127.0.0.1:{port}/health/live"
    trusted = ssl.create_default_context(cafile=ours.ca)
    try:
        wait_for(lambda: _listens(port), "the gateway listens", seconds=240)
        answer = httpx.get(url, verify=trusted, timeout=60)
        assert answer.json() == {"status": "ok"}
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(url, verify=ssl.create_default_context(cafile=theirs.ca), timeout=60)
    finally:
        process.terminate()
        process.wait(30)
