# ruff: noqa: INP001 - a script, no package
"""`python3 deploy/docker/make_secrets.py`: random passwords for docker-compose.yml, once.

Writes one file for each secret into deploy/secrets/, which git does not see. What is there is kept,
so your own passwords go in by hand before; stdlib only, for any machine with Python 3.
"""

import base64
import json
import secrets
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "secrets"


def make(folder: Path) -> list[str]:
    """Names of the files that were missing and are there now."""
    # only its owner may enter; the containers' own users read the files, which are mounted singly
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    made: list[str] = []

    def keep(name: str, text: str) -> str:
        path = folder / name
        if not path.exists():
            path.write_text(text)
            path.chmod(0o644)
            made.append(name)
        return path.read_text().strip()

    def password(name: str) -> str:
        # hexadecimal: means the same within an address
        return keep(name, secrets.token_hex(24))

    postgres, redis = password("postgres_password"), password("redis_password")
    password("grafana_password")
    key, secret = password("retort_s3_key"), password("retort_s3_secret")
    # secrets of webhooks are derived with it: who loses it must make them anew
    password("retort_webhook_keys")
    # exported models are signed with it: others know them by its public half
    keep("retort_signing_key", base64.b64encode(secrets.token_bytes(32)).decode())
    keep("retort_database_url", f"postgresql://retort:{postgres}@postgres:5432/retort")
    keep("retort_redis_url", f"redis://:{redis}@redis:6379/0")
    keep("retort_cache_url", f"redis://:{redis}@cache:6379/0")
    keep("s3_identities", json.dumps(_identities(key, secret)))
    mlflow = f"postgresql+psycopg://retort:{postgres}@postgres:5432/mlflow"
    keep("mlflow.env", f"MLFLOW_BACKEND_STORE_URI={mlflow}\n")
    keep("flower.env", f"FLOWER_BASIC_AUTH=retort:{secrets.token_hex(12)}\n")
    # filled by hand where a Kafka asks for it
    keep("retort_kafka_password", "")
    # filled by hand: `create_key.py prometheus` makes a key once the gateway runs
    keep("retort_metrics_key", "")
    return made


def _identities(key: str, secret: str) -> dict[str, object]:
    """SeaweedFS' form: one identity that may do all within this S3 server."""
    credentials = [{"accessKey": key, "secretKey": secret}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    return {"identities": [{"name": "retort", "credentials": credentials, "actions": actions}]}


if __name__ == "__main__":
    sys.stdout.write("".join(f"made {name}\n" for name in make(FOLDER)) or "all were there\n")
