"""All settings, from the environment only (prefix RETORT_; a few well-known names without it)."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

MIB = 1 << 20


class Settings(BaseSettings):
    """One process's settings. Secrets are never printed (`repr=False`)."""

    model_config = SettingsConfigDict(
        env_prefix="RETORT_", frozen=True, extra="ignore", populate_by_name=True
    )

    #: Postgres, e.g. postgresql://user:password@host:5432/retort
    database_url: str = Field(
        default="postgresql://retort@127.0.0.1:5432/retort",
        validation_alias=AliasChoices("RETORT_DATABASE_URL", "DATABASE_URL"),
        repr=False,
    )
    #: Redis of record: broker, interactive replies (appendonly yes, noeviction)
    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        validation_alias=AliasChoices("RETORT_REDIS_URL", "REDIS_URL"),
        repr=False,
    )
    #: Celery broker, when it is not the Redis above (e.g. amqp://...)
    broker_url: str = Field(
        default="",
        validation_alias=AliasChoices("RETORT_BROKER_URL", "CELERY_BROKER_URL"),
        repr=False,
    )
    #: Redis for caches (allkeys-lru); losing it costs time only. Empty: redis_url serves both
    cache_url: str = Field(
        default="", validation_alias=AliasChoices("RETORT_CACHE_URL", "CACHE_URL"), repr=False
    )
    #: Empty: runs are not logged to MLflow
    mlflow_tracking_uri: str = Field(
        default="",
        validation_alias=AliasChoices("RETORT_MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_URI"),
    )
    #: Folder of the local blob store, used when s3_bucket is empty
    storage_root: Path = Field(
        default=Path(".retort/blobs"),
        validation_alias=AliasChoices("RETORT_STORAGE_ROOT", "MODELS_DIR"),
    )
    s3_bucket: str = ""
    s3_endpoint: str = ""
    s3_key: str = Field(default="", repr=False)
    s3_secret: str = Field(default="", repr=False)

    host: str = Field(default="127.0.0.1", validation_alias=AliasChoices("RETORT_HOST", "HOST"))
    port: int = Field(default=8000, validation_alias=AliasChoices("RETORT_PORT", "PORT"))
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", validation_alias=AliasChoices("RETORT_LOG_LEVEL", "LOG_LEVEL")
    )
    #: Where clients find Flower and MLflow (shown in the API root and by the command line)
    flower_url: str = ""
    mlflow_url: str = ""

    #: auto: CUDA when there, else CPU
    device: Literal["auto", "cpu", "cuda"] = "auto"
    #: Threads that one worker process may use (OpenMP, BLAS, torch); processes x threads <= cores
    worker_threads: int = Field(default=1, ge=1, le=256)
    #: Extra folders with `algorithms/`, `featurizers/`, ... plug-in files (separated by `:`)
    plugin_paths: Annotated[tuple[Path, ...], NoDecode] = ()

    #: Folders whose files may be named by path (separated by `:`); none: no path is read
    import_roots: Annotated[tuple[Path, ...], NoDecode] = ()
    #: Routes of the systems that Retort replaces (/compat/...)
    compat_routes: bool = Field(
        default=True, validation_alias=AliasChoices("RETORT_COMPAT_ROUTES", "COMPAT_ROUTES")
    )
    #: Where Optuna keeps its studies; empty: in our Postgres, which many workers may use at once
    optuna_storage: str = Field(
        default="",
        validation_alias=AliasChoices("RETORT_OPTUNA_STORAGE", "OPTUNA_STORAGE"),
        repr=False,
    )

    # ---- limits -------------------------------------------------------------------------
    max_body_bytes: int = Field(default=2 * MIB, ge=1024)
    max_upload_bytes: int = Field(default=5120 * MIB, ge=1024)
    #: bytes of one part of an upload; more for files of more than a thousand parts
    upload_part_bytes: int = Field(default=8 * MIB, ge=1024)
    #: uploads in parts that one project may have begun and not completed
    max_open_uploads: int = Field(default=100, ge=1)
    #: Decompressed bytes that one upload may unfold to
    max_decompressed_bytes: int = Field(default=20_480 * MIB, ge=1024)
    max_rows: int = Field(default=20_000_000, ge=1)
    max_smiles_length: int = Field(default=5_000, ge=1)
    max_interactive_inputs: int = Field(default=100, ge=1, le=10_000)
    max_trials: int = Field(
        default=100, ge=1, validation_alias=AliasChoices("RETORT_MAX_TRIALS", "MAX_TRIALS")
    )

    # ---- job engine ----------------------------------------------------------------------
    lease_seconds: float = Field(default=60.0, gt=0)
    heartbeat_seconds: float = Field(default=15.0, gt=0)
    sweep_seconds: float = Field(default=10.0, gt=0)
    cancel_grace_seconds: float = Field(default=30.0, gt=0)
    max_attempts: int = Field(default=3, ge=1, le=100)
    #: After so many crashes a job (or chunk) is quarantined
    max_crashes: int = Field(default=2, ge=1)
    #: A chunk of rows that runs longer than this plus `row_seconds` a row hangs: its process is
    #: killed and the chunk divided until the row is found
    chunk_seconds: float = Field(default=60.0, gt=0)
    row_seconds: float = Field(default=0.5, ge=0)
    #: A child process that holds more is killed; 0: four fifths of the machine's (or container's)
    max_child_memory_bytes: int = Field(default=0, ge=0)
    #: After SIGTERM a worker gives its children so long to end or put back their work (seconds)
    drain_seconds: float = Field(default=25.0, gt=5)
    #: Jobs that one caller may have waiting; more are answered with 429
    max_waiting_jobs: int = Field(default=10_000, ge=1)
    #: A task that runs longer is killed by Celery (seconds)
    hard_time_limit: int = Field(default=6 * 3600, ge=1)
    #: Lines of log that are kept of one attempt of a job, and bytes of each
    max_log_lines: int = Field(default=2_000, ge=10)
    max_log_line_bytes: int = Field(default=8_000, ge=100)
    #: For so many days what the chunks of a failed job have made is kept, for a retry of the others
    retry_days: int = Field(default=7, ge=0)
    #: Logs of jobs are removed after so many days
    log_days: int = Field(default=30, ge=1)
    interactive_timeout_seconds: float = Field(default=20.0, gt=0)
    feature_cache_ttl_seconds: int = Field(default=7 * 86_400, ge=1)

    @field_validator("plugin_paths", "import_roots", mode="before")
    @classmethod
    def _split_paths(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(Path(part) for part in value.split(":") if part)
        return value

    @model_validator(mode="after")
    def _lease_outlives_heartbeats(self) -> Self:
        if self.lease_seconds < 2 * self.heartbeat_seconds:
            raise ValueError("lease_seconds must be at least twice heartbeat_seconds")
        return self

    @property
    def effective_cache_url(self) -> str:
        return self.cache_url or self.redis_url

    @property
    def celery_broker_url(self) -> str:
        return self.broker_url or self.redis_url


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once; tests call `get_settings.cache_clear()`."""
    return Settings()
