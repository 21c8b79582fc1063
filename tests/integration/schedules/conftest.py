"""Schedules on real Postgres; the clock is handed in."""

from datetime import UTC, datetime

import pytest

from app.access.principal import Principal
from app.db.base import DEFAULT_PROJECT_ID
from app.db.datasets import DatasetRow
from app.db.files import FileRow
from app.schedules import records
from app.schedules.firing import begin_waiting, fire_due
from app.schedules.spec import ScheduleSpec

ANA = Principal(project_id=DEFAULT_PROJECT_ID, name="key:ana")
#: computes nothing: the tests look at rows
FEATURIZE = {
    "kind": "featurize",
    "params": {"dataset": "mols", "features": [{"name": "maccs"}]},
    "labels": {"team": "adme"},
}


@pytest.fixture
def mols(resources):
    """A data set that is ready, as far as accepting jobs goes."""
    with resources.database.session() as session:
        file = FileRow(
            name="d.csv", sha256="0" * 64, size=1, media_type="text/csv", storage_key="u/x"
        )
        session.add(file)
        session.flush()
        session.add(
            DatasetRow(
                name="mols", number=1, file_id=file.id, sha256="0" * 64, manifest_key="datasets/x"
            )
        )
    return "mols"


class Cron:
    """Schedules, fired at moments that a test names."""

    def __init__(self, resources):
        self.resources = resources

    def make(self, name="nightly", *, next_at, **fields):
        said = {"cron": "0 2 * * *", "job": FEATURIZE, **fields, "name": name}
        with self.resources.database.session() as session:
            row = records.create(session, ANA, ScheduleSpec.model_validate(said))
            row.next_at = moment(next_at)
        return row

    def fire(self, at):
        return fire_due(self.resources, clock=lambda _: moment(at))

    def begin_waiting(self):
        return begin_waiting(self.resources)

    def rows(self, query, *values):
        with self.resources.database.cursor() as cursor:
            cursor.execute(query, values or None)
            return cursor.fetchall()

    def runs(self, name="nightly"):
        return self.rows(
            "SELECT r.* FROM schedule_runs r JOIN schedules s ON s.id = r.schedule_id"
            " WHERE s.name = %s ORDER BY r.run_at, r.id",
            name,
        )

    def states(self, name="nightly"):
        return [
            (f"{run['run_at'].astimezone(UTC):%m-%d %H:%M}", run["state"])
            for run in self.runs(name)
        ]

    def end_jobs(self, state="succeeded"):
        """As if workers had done them."""
        self.rows(
            "UPDATE jobs SET state = %s, finished_at = now() WHERE state IN"
            " ('waiting', 'queued', 'running') RETURNING id",
            state,
        )


def moment(text):
    return text if isinstance(text, datetime) else datetime.fromisoformat(text)


@pytest.fixture
def cron(resources, mols):
    return Cron(resources)
