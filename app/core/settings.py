"""All settings, from the environment (prefix RETORT_; a few well-known names without it); secrets
from files too.
"""

import os
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from app.core.key_bytes import key_bytes
from app.core.tls import checked_url
from app.core.variables import SecretFiles, check_secret_files, check_variables

MIB = 1 << 20
OidcRole = Literal["viewer", "scientist", "approver", "operator", "admin"]
#: of a secret that others are derived with: a shorter one can be guessed
_MIN_KEY_LENGTH = 32


class Settings(BaseSettings):
    """One process's settings. Secrets are never printed (`repr=False`), and each may be kept in a
    file that `RETORT_X_FILE` names.
    """

    model_config = SettingsConfigDict(
        env_prefix="RETORT_",
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        # a secret that is refused, or stands beside what is, ends in no log
        hide_input_in_errors=True,
    )

    #: Postgres, e.g. postgresql://user:password@host:5432/retort
    database_url: str = Field(
        default="postgresql://retort@127.0.0.1:5432/retort",
        validation_alias=AliasChoices("RETORT_DATABASE_URL", "DATABASE_URL"),
        repr=False,
    )
    #: Certificates (PEM) that those of `rediss://` servers are checked with; empty: the machine's
    redis_ca_file: str = ""
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
    #: Certificates (PEM) that the S3 server's is checked against; none: those of the machine
    s3_ca_file: str | None = None
    #: Encryption by the S3 server of what is written: AES256, or aws:kms with the key's id
    s3_sse: Literal["", "AES256", "aws:kms"] = ""
    s3_sse_key_id: str = ""
    #: 32 bytes in base64: blobs are sealed with it before they leave the process (AES-256-GCM);
    #: who loses it loses them. Empty: they are stored as they are
    storage_key: str = Field(default="", repr=False)
    #: Earlier keys, separated by commas: blobs of theirs can be read until they are sealed again
    storage_old_keys: str = Field(default="", repr=False)
    #: Under it the values of columns marked personal are hashed (HMAC-SHA256); a long random text
    personal_key: str = Field(default="", repr=False)
    #: Set once `python -m workers.encrypt` has sealed all: a blob that is not is believed no longer
    storage_refuse_plain: bool = False
    #: 32 bytes in base64: exported bundles are signed with it (Ed25519). Empty: they are not
    signing_key: str = Field(default="", repr=False)
    #: Public keys (base64, separated by commas): only bundles that one of them, or our own, has
    #: signed are imported; none: any bundle
    trusted_signers: Annotated[tuple[str, ...], NoDecode] = ()
    #: Folder for opened copies of sealed blobs that are mapped into memory (bounded; best a tmpfs);
    #: none: in the machine's folder for temporary files, closed to other accounts
    storage_plain_folder: Path | None = None

    host: str = Field(default="127.0.0.1", validation_alias=AliasChoices("RETORT_HOST", "HOST"))
    port: int = Field(default=8000, validation_alias=AliasChoices("RETORT_PORT", "PORT"))
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", validation_alias=AliasChoices("RETORT_LOG_LEVEL", "LOG_LEVEL")
    )
    #: json: one object a line, with the ids of request, job and attempt (docs/logging.md)
    log_format: Literal["text", "json"] = "text"
    #: Where traces are told (OTLP over HTTP), e.g. http://collector:4318; empty: none are made, and
    #: nothing of OpenTelemetry is loaded (docs/tracing.md)
    otlp_endpoint: str = Field(default="", repr=False)
    #: a line of the gateway's log for each request; a proxy in front writes them cheaper
    access_log: bool = False
    #: Over TLS browsers are told to insist on it for so long (HSTS, seconds); 0: they are not told
    hsts_seconds: int = Field(default=31_536_000, ge=0)
    #: Where clients find Flower, MLflow and TensorBoard (shown in the API root and by `retort`)
    flower_url: str = ""
    mlflow_url: str = ""
    tensorboard_url: str = ""
    #: The embedded cluster runs TensorBoard beside the others (the extra `tensorboard`)
    tensorboard: bool = False

    #: auto: CUDA when there, else CPU
    device: Literal["auto", "cpu", "cuda"] = "auto"
    #: Folder in which the processes of GPU workers on one machine say which GPU they hold; empty:
    #: within the folder for temporary files. Containers on one machine share a volume
    gpu_locks: Path | None = None
    #: Threads that one worker process may use (OpenMP, BLAS, torch); processes x threads <= cores
    worker_threads: int = Field(default=1, ge=1, le=256)
    #: Optional packages that the workers have though this process has not (separated by `:`); the
    #: gateway's image, which holds no science, names those of the workers' images
    worker_packages: Annotated[tuple[str, ...], NoDecode] = ()
    #: Folder of files that each hold one secret, named as its variable (`retort_database_url`); a
    #: variable of the environment goes before its file
    secrets_dir: Path | None = None
    #: beat and the Kafka bridge touch this file at each round, for a health check
    beat_file: Path | None = None
    #: Extra folders with `algorithms/`, `featurizers/`, ... plug-in files (separated by `:`)
    plugin_paths: Annotated[tuple[Path, ...], NoDecode] = ()

    #: Folders whose files may be named by path (separated by `:`); none: no path is read
    import_roots: Annotated[tuple[Path, ...], NoDecode] = ()
    #: Routes of the systems that Retort replaces (/compat/...)
    compat_routes: bool = Field(
        default=True, validation_alias=AliasChoices("RETORT_COMPAT_ROUTES", "COMPAT_ROUTES")
    )
    # ---- Kafka (docs/kafka.md) ----------------------------------------------------------
    #: Brokers (`host:port,...`) of the Kafka that events go to and commands come from; empty: none
    kafka_bootstrap: str = ""
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_username: str = ""
    kafka_password: str = Field(default="", repr=False)
    #: Certificates (PEM) that the brokers' are checked against; none: those of the machine
    kafka_ca_file: str | None = None
    #: Begins the names of the events' topics, one a family: `retort.events.jobs`, ...
    kafka_events_topic: str = "retort.events"
    #: Commands are read from it; what can never be done goes to this name with `.dead` behind it
    kafka_commands_topic: str = "retort.commands"
    #: `pascal`: for programs that were written for OSDR's messages. Fields of events' data are in
    #: PascalCase; those of commands may be
    kafka_casing: Literal["snake", "pascal"] = "snake"
    #: A failed prediction is told as `PropertiesPredictionFailed`, as OSDR's own code calls it
    kafka_legacy_names: bool = False

    # ---- webhooks -----------------------------------------------------------------------
    #: what the secrets of webhooks are derived with, 32 characters or more; several separated by
    #: commas: the first makes new secrets, the others know those that they made. None: no webhooks
    webhook_keys: str = Field(default="", repr=False)
    #: networks that webhooks may reach although they are not public (10.1.0.0/16,...)
    webhook_networks: Annotated[tuple[str, ...], NoDecode] = ()
    #: only these hosts, `.example.org` for all below one; none: every public one
    webhook_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    #: plain http too, not only within `webhook_networks`
    webhook_http: bool = False
    #: of one exchange with a receiver
    webhook_timeout_seconds: float = Field(default=10.0, gt=0, le=60)
    #: a webhook is disabled when so many tries in a row failed, over at least so many hours
    webhook_disable_failures: int = Field(default=20, ge=1)
    webhook_disable_hours: float = Field(default=72.0, ge=0)

    #: Where Optuna keeps its studies; empty: in our Postgres, which many workers may use at once
    optuna_storage: str = Field(
        default="",
        validation_alias=AliasChoices("RETORT_OPTUNA_STORAGE", "OPTUNA_STORAGE"),
        repr=False,
    )

    # ---- people: tokens of an OpenID Connect issuer in place of a key (docs/access.md) ----------
    #: the issuer as its tokens name it, e.g. https://login.example.org/realms/lab; empty: keys only
    oidc_issuer: str = ""
    #: whom tokens must be made for: our client id at the issuer, or the address of this API
    oidc_audience: str = ""
    #: where a token names groups; `realm_access.roles` goes deeper
    oidc_roles_claim: str = "groups"
    #: role of each group: chemists=scientist,lab-leads=approver,it=operator
    oidc_roles: Annotated[dict[str, OidcRole], NoDecode] = {}
    #: role of people of none of these groups; empty: they are refused
    oidc_default_role: OidcRole | None = None
    #: what a person is called by (user:...), which owns jobs: it must stay the same for ever, and
    #: belong to nobody else
    oidc_name_claim: str = "sub"

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
    #: Memory that the warm models of one worker process may take; the least recently used go
    model_cache_bytes: int = Field(default=512 * MIB, ge=1)
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
    #: Queues (`gpu`, or several separated by `:`) whose jobs only `python -m workers.take_one`
    #: takes: no message is sent for them, which nobody would read
    take_one_queues: Annotated[tuple[Literal["cpu", "gpu", "predict"], ...], NoDecode] = ()
    #: Jobs that one caller may have waiting; more are answered with 429
    max_waiting_jobs: int = Field(default=10_000, ge=1)
    #: Requests a second that one key may send, unless the key has a rate of its own (more are
    #: answered with 429); 0: no limit, and no trip to Redis
    rate_per_second: float = Field(default=0.0, ge=0, le=1_000_000)
    #: Requests that it may send at once; 0: what it may send in two seconds
    rate_burst: int = Field(default=0, ge=0, le=1_000_000)
    #: A task that runs longer is killed by Celery (seconds)
    hard_time_limit: int = Field(default=6 * 3600, ge=1)
    #: Lines of log that are kept of one attempt of a job, and bytes of each
    max_log_lines: int = Field(default=2_000, ge=10)
    max_log_line_bytes: int = Field(default=8_000, ge=100)
    #: For so many days what the chunks of a failed job have made is kept, for a retry of the others
    retry_days: int = Field(default=7, ge=0)
    #: Logs of jobs are removed after so many days
    log_days: int = Field(default=30, ge=1)
    #: Events, and what became of their webhooks, are removed after so many days
    event_days: int = Field(default=30, ge=1)
    #: Stored predictions are removed after so many days, unless their endpoint says otherwise
    prediction_days: int = Field(default=90, ge=1)
    #: Blobs that keep the features of predicted files, for the next model; 0: none are kept
    prepared_bytes: int = Field(default=10_240 * MIB, ge=0)
    #: Those that no job has used for so many days are removed
    prepared_days: float = Field(default=7.0, gt=0)
    interactive_timeout_seconds: float = Field(default=20.0, gt=0)
    #: inputs of `POST /predictions` that one gateway keeps waiting; more are answered with 503
    max_waiting_inputs: int = Field(default=2_000, ge=1)
    #: processes that answer `POST /predictions`; 0: half of the cores, two at least where there are
    #: two
    serving_processes: int = Field(default=0, ge=0, le=256)
    #: one input (or small micro-batch) that takes longer hangs: its process is killed (seconds)
    serving_hang_seconds: float = Field(default=10.0, gt=0)
    #: answers to predictions are kept for so long (a model version never changes)
    answer_cache_ttl_seconds: int = Field(default=86_400, ge=1)
    feature_cache_ttl_seconds: int = Field(default=7 * 86_400, ge=1)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        files = SecretFiles(settings_cls, os.environ)
        return init_settings, env_settings, files, dotenv_settings, file_secret_settings

    @field_validator("worker_packages", "take_one_queues", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        return tuple(filter(None, value.split(":"))) if isinstance(value, str) else value

    @field_validator("plugin_paths", "import_roots", mode="before")
    @classmethod
    def _split_paths(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(Path(part) for part in value.split(":") if part)
        return value

    @field_validator("oidc_roles", mode="before")
    @classmethod
    def _split_roles(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [pair.rpartition("=") for pair in value.split(",") if pair.strip()]
        if any(not sign or not group.strip() for group, sign, _ in pairs):
            raise ValueError("say the role of each group as group=role,group=role")
        return {group.strip(): role.strip() for group, _, role in pairs}

    @field_validator("oidc_default_role", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @model_validator(mode="after")
    def _an_issuer_needs_an_audience(self) -> Self:
        if self.oidc_issuer and not self.oidc_audience:
            raise ValueError("oidc_issuer needs oidc_audience: tokens for others are not for us")
        return self

    @field_validator("webhook_networks", "webhook_hosts", "trusted_signers", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("webhook_networks")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            ip_network(text)
        return value

    @field_validator("signing_key")
    @classmethod
    def _signs(cls, value: str) -> str:
        if value:
            key_bytes("signing_key", value)
        return value

    @field_validator("trusted_signers")
    @classmethod
    def _are_public_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            key_bytes("each key of trusted_signers", text)
        return value

    @field_validator("webhook_keys")
    @classmethod
    def _long_keys(cls, value: str) -> str:
        if any(len(text.strip()) < _MIN_KEY_LENGTH for text in value.split(",") if text.strip()):
            raise ValueError(f"each key of webhook_keys has {_MIN_KEY_LENGTH} characters or more")
        return value

    @field_validator("redis_url", "cache_url", "broker_url")
    @classmethod
    def _check_servers(cls, url: str, info: ValidationInfo) -> str:
        return checked_url(url, info.data.get("redis_ca_file", ""))

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
    """The settings of this process, read once; tests call `get_settings.cache_clear()`.

    Raises ValueError naming a RETORT_ variable, or a file of RETORT_SECRETS_DIR, which nothing
    reads.
    """
    check_variables(os.environ, Settings)
    folder = os.environ.get("RETORT_SECRETS_DIR") or None
    if folder is not None:
        check_secret_files(Path(folder), Settings)
    return Settings(_secrets_dir=folder)
