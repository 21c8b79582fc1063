# ruff: noqa: INP001 - a script of the image, no package
"""`python create_key.py NAME`: makes an API key and prints it, the only time it is ever shown."""

import sys

from app.access.keys import create_key
from app.resources import get_resources


def main(name: str) -> None:
    with get_resources().database.session() as session:
        text = create_key(session, name=name).text
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main(sys.argv[1])
