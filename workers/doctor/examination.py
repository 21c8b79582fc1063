"""Every check in turn; one that cannot be made is a finding of its own."""

import os
from collections.abc import Callable, Iterable, Mapping

from app.core.masking import masker
from app.jobs.outages import is_outage
from app.resources import Resources
from workers.doctor import machine, stores, work
from workers.doctor.finding import Finding

Check = Callable[[Resources], Iterable[Finding]]

#: name, and what it asks
_OF_STORES: tuple[tuple[str, Check], ...] = (
    ("schema", stores.schema),
    ("clocks", stores.clocks),
    ("broker", stores.broker),
    ("blobs", stores.disk),
    ("queues", work.queues),
    ("replicas", work.replicas),
    ("claims", work.claims),
    ("versions", work.versions),
    ("leases", work.leases),
    ("jobs", work.stuck_jobs),
    ("tracking", machine.mlflow),
)


def examine(resources: Resources, environment: Mapping[str, str] | None = None) -> list[Finding]:
    """Of this installation, as this process sees it. `environment`: its own, unless given."""
    environment = os.environ if environment is None else environment
    found: list[Finding] = []
    for name, check in _OF_STORES:
        found += _tried(name, check, resources)
    home = machine.home_of(environment)
    found += machine.processes(home)
    found += machine.variables(environment)
    found += machine.secret_files(home, environment)
    return [_masked(finding, masker(resources.settings)) for finding in found]


def _tried(name: str, check: Check, resources: Resources) -> list[Finding]:
    try:
        return list(check(resources))
    except Exception as error:
        if not is_outage(error):
            raise
        return [
            Finding(
                name=name,
                state="fail",
                said=f"it cannot be looked at: {type(error).__name__}",
                why="A store that all of this stands on does not answer.",
                remedy="See `retort doctor`'s line `stores`, or GET /health/ready.",
            )
        ]


def _masked(finding: Finding, mask: Callable[[str], str]) -> Finding:
    return Finding(
        name=finding.name,
        state=finding.state,
        said=mask(finding.said),
        why=finding.why,
        remedy=mask(finding.remedy),
    )
