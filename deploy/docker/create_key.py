# ruff: noqa: INP001 - a script of the image, no package
"""`python create_key.py NAME [--role ROLE]`: makes an API key and prints it, the only time it is
ever shown. `--admin` says `--role admin`: whoever has that key makes all others over HTTP
(`retort keys new`).
"""

import argparse
import sys

from app.access.keys import create_key
from app.access.rights import Role
from app.resources import get_resources


def main(name: str, role: Role) -> None:
    with get_resources().database.session() as session:
        text = create_key(session, name=name, role=role).text
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    roles = parser.add_mutually_exclusive_group()
    # an approver may what a key without a role could, but for policies and queues
    roles.add_argument("--role", type=Role, choices=list(Role), default=Role.APPROVER)
    roles.add_argument("--admin", dest="role", action="store_const", const=Role.ADMIN)
    given = parser.parse_args()
    main(given.name, given.role)
