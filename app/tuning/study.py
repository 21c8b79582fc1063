"""Optuna studies in our Postgres, in a schema of their own; Optuna makes its tables itself."""

from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy import text
from sqlalchemy.pool import NullPool

from app.core.errors import InvalidInput
from app.core.settings import get_settings
from app.db.database import APPLICATION_NAME, Database

optuna.logging.set_verbosity(optuna.logging.WARNING)

_LOCK = 7_245_013


def study_storage(database: Database) -> RDBStorage:
    """Its first use makes Optuna's tables, under a lock: two must not both create them."""
    if elsewhere := get_settings().optuna_storage:
        return _storage(elsewhere.replace("postgresql://", "postgresql+psycopg://", 1))
    url = database.url.update_query_dict(
        {
            "options": database.options("-csearch_path=optuna"),
            "application_name": APPLICATION_NAME,
        }
    ).render_as_string(hide_password=False)
    if _tables_made(database):
        return _storage(url, skip_table_creation=True)
    with database.session() as session:
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        return _storage(url)


def _storage(url: str, *, skip_table_creation: bool = False) -> RDBStorage:
    return RDBStorage(
        url, engine_kwargs={"poolclass": NullPool}, skip_table_creation=skip_table_creation
    )


def _tables_made(database: Database) -> bool:
    """All of them: Optuna writes down their version last."""
    with database.session() as session:
        if session.scalar(text("SELECT to_regclass('optuna.alembic_version')")) is None:
            return False
        versions = session.scalar(text("SELECT count(*) FROM optuna.alembic_version"))
    return bool(versions)


def create_study(database: Database, name: str, direction: str, sampler: str, seed: int) -> Any:
    """The study called `name`; the one that exists when the plan runs again."""
    return optuna.create_study(
        study_name=name,
        storage=study_storage(database),
        direction=direction,
        sampler=make_sampler(sampler, seed),
        load_if_exists=True,
    )


def load_study(database: Database, name: str, sampler: str, seed: int) -> Any:
    return optuna.load_study(
        study_name=name, storage=study_storage(database), sampler=make_sampler(sampler, seed)
    )


def make_sampler(name: str, seed: int) -> Any:
    """TPE with a penalty on points that other workers are trying right now."""
    if name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed, constant_liar=True, n_startup_trials=8)


def give_up_stale(study: Any, chunk: str) -> None:
    """Trials that an earlier, dead run of this chunk left running are told as failed."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if trial.user_attrs.get("chunk") == chunk:
            study.tell(trial.number, state=TrialState.FAIL)


def finished(study: Any, chunk: str | None = None) -> list[Any]:
    """Complete trials (of one chunk), by number."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return [t for t in trials if chunk is None or t.user_attrs.get("chunk") == chunk]


def best_trial(study: Any) -> Any:
    """Raises InvalidInput when no trial has ended well."""
    if not finished(study):
        raise InvalidInput(
            "no trial ended well, so there are no best parameters", code="no_trial_succeeded"
        )
    return study.best_trial


def list_trials(database: Database, name: str) -> list[dict[str, Any]]:
    """Number, state, value and parameters of every trial."""
    try:
        study = optuna.load_study(study_name=name, storage=study_storage(database))
    except KeyError:
        return []
    return [
        {
            "number": trial.number,
            "state": trial.state.name.lower(),
            "value": trial.value if trial.state is TrialState.COMPLETE else None,
            "params": trial.user_attrs.get("params", trial.params),
            "seconds": trial.duration.total_seconds() if trial.duration else None,
        }
        for trial in study.get_trials(deepcopy=False)
    ]
