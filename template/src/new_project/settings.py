"""Settings, from environment variables, which nothing else reads."""

from __future__ import annotations

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where the pipeline reads and writes. Raises `ValidationError` for one that is missing."""

    model_config = SettingsConfigDict(env_prefix="NEW_PROJECT_")

    # postgresql://user:password@host/database
    dsn: SecretStr
    # s3://bucket/prefix, or file:///folder
    landing: str
