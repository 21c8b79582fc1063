"""A real S3 server process (moto's); it takes any key, so it proves nothing about rights."""

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import boto3

from workers.servers import free_port

KEYS = {"s3_key": "key", "s3_secret": "secret"}


@contextmanager
def s3_server() -> Iterator[str]:
    """Its address."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port), "-H", "127.0.0.1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(url, timeout=1)
                break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        server.kill()
        server.wait()


def new_bucket(url: str, name: str) -> dict[str, str]:
    """Settings of a bucket that is made here."""
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=KEYS["s3_key"],
        aws_secret_access_key=KEYS["s3_secret"],
    )
    client.create_bucket(Bucket=name)
    return {"s3_bucket": name, "s3_endpoint": url, **KEYS}
