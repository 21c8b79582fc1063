"""Flower shows what every job is about and could end every worker: it starts behind a login only,
and read-only unless somebody says otherwise.

Flower itself, without a login, answers everybody with all its pages. It reads FLOWER_* from the
environment after `-A workers.celery_app` has been imported, which is when this runs.
"""

import re
from collections.abc import MutableMapping, Sequence
from pathlib import Path

#: shorter ones are guessed
_MIN_PASSWORD = 12
#: OAuth2, as Flower has it: FLOWER_AUTH names who may enter
_LOGINS = ("FLOWER_BASIC_AUTH", "FLOWER_AUTH")
_OPTION = re.compile(r"--(basic[_-]auth|auth)=.+")


class FlowerIsOpenError(SystemExit):
    """Flower would be open to everybody, or nearly; printed as it is, exit code 1."""


def guard_flower(environment: MutableMapping[str, str], arguments: Sequence[str]) -> None:
    """Fill in the defaults of Flower's environment. Raises FlowerIsOpenError without a login."""
    environment.setdefault("FLOWER_READ_ONLY", "true")
    given = environment.pop("FLOWER_BASIC_AUTH_FILE", "")
    if given:
        environment["FLOWER_BASIC_AUTH"] = Path(given).read_text().strip()
    if any(_OPTION.fullmatch(argument) for argument in arguments):
        return
    if not any(environment.get(name) for name in _LOGINS):
        raise FlowerIsOpenError(
            "Flower has no login, so that anybody could look into every job. Set FLOWER_BASIC_AUTH"
            " to user:password (or FLOWER_BASIC_AUTH_FILE to a file that holds it)."
        )
    for login in filter(None, environment.get("FLOWER_BASIC_AUTH", "").split(",")):
        user, _, password = login.partition(":")
        if not user or len(password) < _MIN_PASSWORD:
            raise FlowerIsOpenError(
                f"Flower's login must be user:password with at least {_MIN_PASSWORD} characters of"
                " password. Make one: openssl rand -base64 18"
            )


def close_metrics() -> None:
    """Flower tells its metrics, with the names of tasks and machines, to everybody; ours to nobody
    without the login.
    """
    from flower.views.monitor import Metrics
    from tornado.web import authenticated

    Metrics.get = authenticated(Metrics.get)
