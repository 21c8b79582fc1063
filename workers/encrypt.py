"""`python -m workers.encrypt [--embedded] [--dry-run]`: seals every blob with the key of today.

For a store that was filled before RETORT_STORAGE_KEY was set, and after a change of keys (the one
before in RETORT_STORAGE_OLD_KEYS). May run beside the cluster, may be stopped and begun again; each
blob is replaced as a whole. Without RETORT_STORAGE_KEY it opens what the old keys sealed.
"""

import argparse
import sys
from collections.abc import Iterator

from app.core.errors import ContentMissing, RetortError
from app.storage import EncryptedStorage, build_storage
from workers.backup.target import cluster_settings


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m workers.encrypt", description=__doc__)
    parser.add_argument(
        "--embedded", action="store_true", help="`make up`'s cluster (RETORT_HOME), running or not"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be sealed")
    options = parser.parse_args(arguments)
    with cluster_settings(embedded=options.embedded, at_rest=False) as settings:
        storage = build_storage(settings)
    if not isinstance(storage, EncryptedStorage):
        sys.stderr.write("Set RETORT_STORAGE_KEY: `openssl rand -base64 32` makes one.\n")
        return 2
    counts = {"right": 0, "sealed": 0, "failed": 0}
    for outcome, line in seal_all(storage, dry_run=options.dry_run):
        counts[outcome] += 1
        if outcome == "failed":
            sys.stderr.write(f"{line}\n")
    word = "would be sealed" if options.dry_run else "sealed anew"
    sys.stdout.write(
        f"{counts['sealed']} blobs {word}, {counts['right']} were right,"
        f" {counts['failed']} failed\n"
    )
    return int(counts["failed"] > 0)


def seal_all(storage: EncryptedStorage, *, dry_run: bool = False) -> Iterator[tuple[str, str]]:
    """(right | sealed | failed, a line) of each blob; one that vanishes is passed over."""
    for key in storage.list(""):
        try:
            if storage.is_current(key):
                yield "right", key
                continue
            if not dry_run:
                storage.seal_again(key)
            yield "sealed", key
        except ContentMissing:
            continue
        except RetortError as error:
            yield "failed", f"{key}: {error}"


if __name__ == "__main__":
    sys.exit(main())
