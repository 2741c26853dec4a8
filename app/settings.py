"""One Settings, read at the top from the environment (prefix FOLLOW_UP_) and handed down."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What differs from place to place. `docs/` names each; a test compares."""

    model_config = SettingsConfigDict(env_prefix="FOLLOW_UP_", extra="ignore", frozen=True, hide_input_in_errors=True)

    database_url: str = Field("sqlite:///data/follow-up.db", repr=False, description="SQLite file or PostgreSQL; may carry a password")
    key_file: Path | None = Field(None, description="the two keys that seal persons; mode 0600")
    sweep_minutes: int = Field(15, ge=1, le=1440, description="minutes between two sweeps for overdue visits")
    demo_tokens: bool = Field(False, description="honour the demo's fixed tokens, from loopback only")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=1, le=65535, description="port to listen on")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="from which level on log lines are written")
    rate_per_second: int = Field(50, ge=1, description="requests a second and token before 429")
