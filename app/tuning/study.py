"""Optuna studies in our Postgres, in a schema of their own; Optuna makes its tables itself."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import optuna
from optuna.samplers import BaseSampler
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState
from sqlalchemy import text
from sqlalchemy.pool import NullPool

from app.core.errors import InvalidInput
from app.core.settings import get_settings
from app.db.database import APPLICATION_NAME, Database

optuna.logging.set_verbosity(optuna.logging.WARNING)

_LOCK = 7_245_013
#: of a trial in Optuna: its place in the order of the request, as text
_PLACE = "chunk"

#: draws a trial's parameters, by their names
Suggest = Callable[[Any], dict[str, Any]]


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


def create_study(database: Database, name: str, direction: str) -> Any:
    """The study called `name`; the one that exists when the plan runs again."""
    return optuna.create_study(
        study_name=name,
        storage=study_storage(database),
        direction=direction,
        load_if_exists=True,
    )


def load_study(database: Database, name: str) -> Any:
    return optuna.load_study(study_name=name, storage=study_storage(database))


def make_sampler(name: str, seed: int) -> Any:
    if name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=8)


class _Drawn(BaseSampler):  # type: ignore[misc]
    """Says what has been drawn already."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
        del study, trial
        return {}

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
        del study, trial, search_space
        return {}

    def sample_independent(
        self, study: Any, trial: Any, param_name: str, param_distribution: Any
    ) -> Any:
        del study, trial, param_distribution
        return self._values[param_name]


def ask(
    study: Any, place: int, suggest: Suggest, sampler: Any, past: Sequence[Any]
) -> tuple[Any, dict[str, Any]]:
    """The running trial of that place, and its parameters, drawn from the `past` trials alone: what
    else the study knows by now is chance, for those that run at the same time end in any order.
    """
    known = optuna.create_study(direction=study.direction, sampler=sampler)
    known.add_trials(past)
    drawn = known.ask()
    values = suggest(drawn)
    study.sampler = _Drawn(drawn.params)
    trial = study.ask(fixed_distributions=drawn.distributions)
    trial.set_user_attr(_PLACE, str(place))
    return trial, values


def place_of(trial: Any) -> int:
    """In the order of the request; a trial's number in Optuna is that of its begin."""
    return int(trial.user_attrs[_PLACE])


def give_up_stale(study: Any, place: int) -> None:
    """Trials that an earlier, dead run of this place left running are told as failed."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if trial.user_attrs.get(_PLACE) == str(place):
            study.tell(trial.number, state=TrialState.FAIL)


def finished(study: Any) -> list[Any]:
    """Complete trials, by place."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return sorted(_placed(trials), key=place_of)


def _placed(trials: Iterable[Any]) -> Iterator[Any]:
    """Without one that has begun just now, or whose process died as it began."""
    return (trial for trial in trials if _PLACE in trial.user_attrs)


def best_trial(study: Any) -> Any:
    """Of equal ones the first by place. Raises InvalidInput when no trial has ended well."""
    trials = finished(study)
    if not trials:
        raise InvalidInput(
            "no trial ended well, so there are no best parameters", code="no_trial_succeeded"
        )
    sign = 1 if study.direction is StudyDirection.MINIMIZE else -1
    return min(trials, key=lambda trial: sign * trial.value)


def list_trials(database: Database, name: str) -> list[dict[str, Any]]:
    """Number (its place), state, value and parameters of every trial, by number; one whose worker
    died is there beside the one that was tried in its place.
    """
    try:
        study = optuna.load_study(study_name=name, storage=study_storage(database))
    except KeyError:
        return []
    return [
        {
            "number": place_of(trial),
            "state": trial.state.name.lower(),
            "value": trial.value if trial.state is TrialState.COMPLETE else None,
            "params": trial.user_attrs.get("params", trial.params),
            "seconds": trial.duration.total_seconds() if trial.duration else None,
        }
        for trial in sorted(_placed(study.get_trials(deepcopy=False)), key=place_of)
    ]
