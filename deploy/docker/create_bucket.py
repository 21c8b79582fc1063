# ruff: noqa: INP001 - a script of the image, no package
"""`python create_bucket.py`: makes the bucket of the settings, if one is named and missing."""

import sys

from app.core.settings import get_settings
from app.storage.s3 import S3Storage


def main() -> None:
    """Raises botocore's ClientError when the server refuses the key."""
    settings = get_settings()
    if not settings.s3_bucket:
        sys.stdout.write("no bucket is named; blobs lie in the folder of RETORT_STORAGE_ROOT\n")
        return
    client = S3Storage(settings).client
    names = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    if settings.s3_bucket not in names:
        client.create_bucket(Bucket=settings.s3_bucket)
    sys.stdout.write(f"bucket {settings.s3_bucket}\n")


if __name__ == "__main__":
    main()
