"""Everything that can be set from outside, in one frozen object that is built once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from syncline.core.durations import parse_duration
from syncline.core.errors import ConfigurationError
from syncline.core.redaction import passwords_of, remember_secret

__all__ = ["Settings"]

_VARIABLES = {
    "database_url": "DATABASE_URL",
    "data_dir": "SYNCLINE_DATA_DIR",
    "postgres_version": "SYNCLINE_POSTGRES",
    "database_user": "SYNCLINE_DB_USER",
    "secret_keys": "SYNCLINE_KEYS",
    "workers": "SYNCLINE_WORKERS",
    "worker_memory_mb": "SYNCLINE_WORKER_MEMORY_MB",
    "batch_seconds": "SYNCLINE_BATCH_SECONDS",
    "schedule": "SYNCLINE_SCHEDULE",
    "sync_frequency": "SYNC_FREQUENCY",
    "sync_time": "SYNC_TIME",
    "batch_size": "BATCH_SIZE",
    "runs_per_host": "SYNCLINE_RUNS_PER_HOST",
    "max_file_size_mb": "MAX_FILE_SIZE_MB",
    "supported_extensions": "SUPPORTED_EXTENSIONS",
    "max_memory_mb": "SYNCLINE_MAX_MEMORY_MB",
    "memory_percent": "SYNCLINE_MEMORY_PERCENT",
    "cpu_percent": "SYNCLINE_CPU_PERCENT",
    "redis_url": "SYNCLINE_REDIS_URL",
    "health_degraded_lag": "SYNCLINE_HEALTH_DEGRADED_LAG",
    "health_unhealthy_lag": "SYNCLINE_HEALTH_UNHEALTHY_LAG",
    "health_degraded_errors": "SYNCLINE_HEALTH_DEGRADED_ERRORS",
    "health_unhealthy_errors": "SYNCLINE_HEALTH_UNHEALTHY_ERRORS",
    "health_window": "SYNCLINE_HEALTH_WINDOW",
    "health_longest_run": "SYNCLINE_HEALTH_LONGEST_RUN",
    "metrics_port": "SYNCLINE_METRICS_PORT",
    "metrics_host": "SYNCLINE_METRICS_HOST",
    "log": "SYNCLINE_LOG",
    "log_level": "SYNCLINE_LOG_LEVEL",
    "alert_webhook": "SYNCLINE_ALERT_WEBHOOK",
    "alert_secret": "SYNCLINE_ALERT_SECRET",
    "alert_email": "SYNCLINE_ALERT_EMAIL",
    "alert_sender": "SYNCLINE_ALERT_SENDER",
    "smtp_url": "SYNCLINE_SMTP_URL",
    "alert_every": "SYNCLINE_ALERT_EVERY",
    "keep_deleted_days": "SYNCLINE_KEEP_DELETED_DAYS",
    "keep_runs_days": "SYNCLINE_KEEP_RUNS_DAYS",
    "keep_reports": "SYNCLINE_KEEP_REPORTS",
    "keep_jobs_days": "SYNCLINE_KEEP_JOBS_DAYS",
    "keep_events_days": "SYNCLINE_KEEP_EVENTS_DAYS",
    "embedder": "SYNCLINE_EMBEDDER",
    "embedding_url": "SYNCLINE_EMBEDDING_URL",
    "embedding_model": "SYNCLINE_EMBEDDING_MODEL",
    "embedding_dimension": "SYNCLINE_EMBEDDING_DIMENSION",
    "embedding_query_prefix": "SYNCLINE_EMBEDDING_QUERY_PREFIX",
    "embedding_passage_prefix": "SYNCLINE_EMBEDDING_PASSAGE_PREFIX",
    "embedding_folder": "SYNCLINE_EMBEDDING_FOLDER",
    "embedding_max_tokens": "SYNCLINE_EMBEDDING_MAX_TOKENS",
    "embedding_key": "SYNCLINE_EMBEDDING_KEY",
    "former_embedding_key": "SYNCLINE_FORMER_EMBEDDING_KEY",
}


_SECRETS = (
    *("embedding_key", "former_embedding_key"),
    *("alert_webhook", "alert_secret", "smtp_url"),
)


def _seconds(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else value


Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0)]
"""A duration, in words or in seconds."""


def _default_data_dir() -> Path:
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/syncline")
    return Path(platformdirs.user_data_dir("syncline", appauthor=False))


class Settings(BaseModel):
    """What the environment, or a host application, says. Each field names its variable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: str | None = Field(
        default=None,
        description="DATABASE_URL: a PostgreSQL 16+ with pgvector; unset, the bundled one",
    )
    data_dir: Path = Field(
        default_factory=_default_data_dir,
        description="SYNCLINE_DATA_DIR: where the bundled database and the logs live",
    )
    postgres_version: Literal["16", "18"] = Field(
        default="18",
        description="SYNCLINE_POSTGRES: of a new bundled database (an old one keeps its own)",
    )
    database_user: str = Field(
        default="nobody",
        description="SYNCLINE_DB_USER: as root, the user that the bundled database runs as",
    )
    secret_keys: SecretStr | None = Field(
        default=None,
        description="SYNCLINE_KEYS: the keys that secrets are sealed with, the newest first, "
        "with commas between; unset, the file secret-keys in the data folder",
    )
    workers: int = Field(
        default_factory=lambda: max(1, min(os.cpu_count() or 1, 16)),
        ge=1,
        le=128,
        description="SYNCLINE_WORKERS: processes that prepare and store batches",
    )
    worker_memory_mb: int = Field(
        default=2048, ge=256, description="SYNCLINE_WORKER_MEMORY_MB: what one of them may use"
    )
    batch_seconds: float = Field(
        default=120, gt=0, description="SYNCLINE_BATCH_SECONDS: how long one batch may take"
    )
    schedule: str | None = Field(
        default=None,
        description="SYNCLINE_SCHEDULE: when connections without a schedule of their own run, "
        "such as `every 15m`; unset, SYNC_FREQUENCY decides, and without it `adaptive`",
    )
    sync_frequency: str | None = Field(
        default=None, description="SYNC_FREQUENCY: the same in one word: daily, hourly or weekly"
    )
    sync_time: str = Field(
        default="02:00", description="SYNC_TIME: at what time of day, in UTC, for SYNC_FREQUENCY"
    )
    batch_size: int = Field(
        default=5, ge=1, le=1000, description="BATCH_SIZE: how many connections are synced at once"
    )
    runs_per_host: int = Field(
        default=2,
        ge=1,
        description="SYNCLINE_RUNS_PER_HOST: how many of them may read from one host",
    )
    max_memory_mb: int | None = Field(
        default=None,
        ge=1,
        description="SYNCLINE_MAX_MEMORY_MB: what a service's processes may use together, without "
        "the database; while they use more, it begins no sync beside one that runs",
    )
    memory_percent: int = Field(
        default=90,
        ge=1,
        le=100,
        description="SYNCLINE_MEMORY_PERCENT: the same for the memory of the machine, or of the "
        "container; 100: never",
    )
    cpu_percent: int = Field(
        default=80,
        ge=1,
        le=100,
        description="SYNCLINE_CPU_PERCENT: the same for what other programs use of the "
        "processors, over ten seconds; 100: never",
    )
    redis_url: SecretStr | None = Field(
        default=None,
        description="SYNCLINE_REDIS_URL: a Redis in which answers of sources are kept that may be, "
        "such as `redis://localhost:6379/0`; unset, a table of the database",
    )
    health_degraded_lag: Seconds = Field(
        default=5400,
        description="SYNCLINE_HEALTH_DEGRADED_LAG: how far a connection may be behind its schedule "
        "before the whole is degraded, such as `90m`",
    )
    health_unhealthy_lag: Seconds = Field(
        default=10800,
        description="SYNCLINE_HEALTH_UNHEALTHY_LAG: and before it is unhealthy",
    )
    health_degraded_errors: float = Field(
        default=0.05,
        gt=0,
        le=1,
        description="SYNCLINE_HEALTH_DEGRADED_ERRORS: the part of runs that may fail before the "
        "whole is degraded",
    )
    health_unhealthy_errors: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="SYNCLINE_HEALTH_UNHEALTHY_ERRORS: and before it is unhealthy",
    )
    health_window: Seconds = Field(
        default=21600,
        description="SYNCLINE_HEALTH_WINDOW: of the runs of how long, up to now",
    )
    health_longest_run: Seconds = Field(
        default=86400,
        description="SYNCLINE_HEALTH_LONGEST_RUN: a job that runs longer counts as stuck",
    )
    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="SYNCLINE_METRICS_PORT: where a service has /metrics for Prometheus, /healthz "
        "and /readyz; each on one machine needs its own (0: any that is free)",
    )
    metrics_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="SYNCLINE_METRICS_HOST: on which address; `0.0.0.0` on all there are",
    )
    log: Literal["auto", "text", "json"] = Field(
        default="auto",
        description="SYNCLINE_LOG: how services log; `auto` is readable lines on a terminal and "
        "JSON lines elsewhere",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="SYNCLINE_LOG_LEVEL: from which level on they log"
    )
    alert_webhook: SecretStr | None = Field(
        default=None, description="SYNCLINE_ALERT_WEBHOOK: the URL that alerts are posted to"
    )
    alert_secret: SecretStr | None = Field(
        default=None, description="SYNCLINE_ALERT_SECRET: what they are signed with there"
    )
    alert_email: str | None = Field(
        default=None,
        description="SYNCLINE_ALERT_EMAIL: who is mailed, between commas; needs SYNCLINE_SMTP_URL",
    )
    alert_sender: str | None = Field(
        default=None,
        description="SYNCLINE_ALERT_SENDER: from whom; by default `syncline@` this machine",
    )
    smtp_url: SecretStr | None = Field(
        default=None,
        description="SYNCLINE_SMTP_URL: the server that takes mail, such as "
        "smtp://user:password@mail.example.com:587, or smtps://",
    )
    alert_every: Seconds = Field(
        default=3600,
        description="SYNCLINE_ALERT_EVERY: how often at most the same is told of one connection",
    )
    keep_deleted_days: float = Field(
        default=30,
        ge=0,
        description="SYNCLINE_KEEP_DELETED_DAYS: how long deleted documents can be brought back",
    )
    keep_runs_days: float = Field(
        default=90,
        ge=0,
        description="SYNCLINE_KEEP_RUNS_DAYS: how long runs are kept; the newest "
        "SYNCLINE_KEEP_REPORTS of each connection always are",
    )
    keep_reports: int = Field(
        default=20,
        ge=1,
        description="SYNCLINE_KEEP_REPORTS: how many runs of each connection keep the lines of "
        "their reports",
    )
    keep_jobs_days: float = Field(
        default=30,
        ge=0,
        description="SYNCLINE_KEEP_JOBS_DAYS: how long dead and cancelled jobs are kept",
    )
    keep_events_days: float = Field(
        default=30, ge=0, description="SYNCLINE_KEEP_EVENTS_DAYS: how long events are kept"
    )
    max_file_size_mb: int | None = Field(
        default=None,
        ge=1,
        le=2000,
        description="MAX_FILE_SIZE_MB: of connections that do not say so themselves: no files "
        "larger than this",
    )
    supported_extensions: str | None = Field(
        default=None,
        description="SUPPORTED_EXTENSIONS: and only files whose names end so, such as `md,html`",
    )
    embedder: str = Field(
        default="wordllama",
        description="SYNCLINE_EMBEDDER: what makes the vectors: wordllama, service (one with "
        "OpenAI's protocol), or onnx (a sentence-transformer's files)",
    )
    embedding_url: str = Field(
        default="https://api.openai.com/v1",
        pattern=r"^https?://[^/@]+(/.*)?$",
        description="SYNCLINE_EMBEDDING_URL: where that service is",
    )
    embedding_model: str = Field(
        default="text-embedding-3-small",
        min_length=1,
        description="SYNCLINE_EMBEDDING_MODEL: which of its models",
    )
    embedding_dimension: int | None = Field(
        default=None,
        ge=1,
        le=16_000,
        description="SYNCLINE_EMBEDDING_DIMENSION: how many numbers the model gives for a text; "
        "need not be set for OpenAI's own models",
    )
    embedding_query_prefix: str = Field(
        default="",
        description="SYNCLINE_EMBEDDING_QUERY_PREFIX: what service and onnx put before a question, "
        "such as `query: `; the model's page says whether it wants one",
    )
    embedding_passage_prefix: str = Field(
        default="",
        description="SYNCLINE_EMBEDDING_PASSAGE_PREFIX: and before a passage, such as `passage: `",
    )
    embedding_folder: Path | None = Field(
        default=None,
        description="SYNCLINE_EMBEDDING_FOLDER: where onnx finds `model.onnx` and `tokenizer.json`",
    )
    embedding_max_tokens: int | None = Field(
        default=None,
        ge=8,
        le=65_536,
        description="SYNCLINE_EMBEDDING_MAX_TOKENS: what onnx reads of a text at most; unset, what "
        "the folder says, at most 512",
    )
    embedding_key: SecretStr | None = Field(
        default=None, description="SYNCLINE_EMBEDDING_KEY: the key that the service wants"
    )
    former_embedding_key: SecretStr | None = Field(
        default=None,
        description="SYNCLINE_FORMER_EMBEDDING_KEY: the key of the service that was used before, "
        "for searches until the new model has all passages; need not be set at the same address",
    )

    @model_validator(mode="after")
    def _secrets_are_known(self) -> Settings:
        """None of them is told, wherever it turns up."""
        for name in _SECRETS:
            value: SecretStr | None = getattr(self, name)
            if value is not None:
                remember_secret(value.get_secret_value())
        for url in (self.database_url, self.smtp_url and self.smtp_url.get_secret_value()):
            for password in passwords_of(url or ""):
                remember_secret(password)
        return self

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """The settings that the environment asks for.

        Raises `ConfigurationError`, naming the variable.
        """
        values = {
            name: environ[variable]
            for name, variable in _VARIABLES.items()
            if environ.get(variable)
        }
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            variable = _VARIABLES.get(str(first["loc"][0]), str(first["loc"][0]))
            raise ConfigurationError(
                f"{variable}: {first['msg']}", hint=f"Correct or unset {variable}."
            ) from error

    @property
    def option_defaults(self) -> dict[str, int | str]:
        """What stands for connectors' options that were not given, by the setting's name."""
        found = {
            "max_file_size_mb": self.max_file_size_mb,
            "supported_extensions": self.supported_extensions,
        }
        return {name: value for name, value in found.items() if value is not None}

    def to_environment(self) -> dict[str, str]:
        """The variables that give these settings to another process."""
        values = self.model_dump(exclude_none=True)
        return {
            _VARIABLES[name]: value.get_secret_value()
            if isinstance(value, SecretStr)
            else str(value)
            for name, value in values.items()
        }
