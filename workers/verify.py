"""`python -m workers.verify [--embedded]`: does everything hold that is promised? Changes nothing.

Asks what the fault suite asks after each fault: the rules of `app/integrity/records.py`, and
whether rows and blobs agree. Exit code 1 and a line for each violation.
"""

import argparse
import sys

from app.db.database import Database
from app.integrity.blobs import missing_blobs, unseen_blobs
from app.integrity.records import RULES_OF_RECORDS, broken_rules
from app.storage import build_storage
from workers.backup.target import cluster_settings


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m workers.verify", description=__doc__)
    parser.add_argument(
        "--embedded", action="store_true", help="`make up`'s cluster (RETORT_HOME), running or not"
    )
    options = parser.parse_args(arguments)
    with cluster_settings(embedded=options.embedded, at_rest=False) as settings:
        database, storage = Database(settings.database_url), build_storage(settings)
        found = broken_rules(database)
        broken = {violation.rule for violation in found}
        lines = [
            f"{'BROKEN' if rule.name in broken else 'ok':6}  {rule.promise}"
            for rule in RULES_OF_RECORDS
        ]
        missing = missing_blobs(database, storage)
        unseen = unseen_blobs(database, storage)
        database.dispose()
    lines.append(f"{'BROKEN' if missing else 'ok':6}  every file that a row names is there")
    lines += [f"  {one.rule}: {one.id}: {one.detail}" for one in (*found, *missing)]
    lines.append(f"{len(unseen)} blobs that no row names; they are removed after a day")
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return int(bool(found or missing))


if __name__ == "__main__":
    sys.exit(main())
