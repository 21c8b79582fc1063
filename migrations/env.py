"""Alembic's entry: the database comes from the settings, the tables from app.db."""

from alembic import context

from app.core.settings import get_settings
from app.db.database import Database
from app.db.tables import Base


def include_name(name: str | None, type_: str, _parents: object) -> bool:
    """Only our own schema: Optuna and MLflow keep their tables themselves."""
    return type_ != "schema" or name is None


def run_migrations() -> None:
    database = Database(get_settings().database_url)
    with database.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            include_name=include_name,
            compare_type=True,
            compare_server_default=True,
        )
        with context.begin_transaction():
            # two starters at once: the second waits, then finds nothing to do
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7245012)")
            context.run_migrations()
    database.dispose()


run_migrations()
