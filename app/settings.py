"""One Settings, read at the top from the environment (prefix FOLLOW_UP_) and handed down."""

from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DEMO_TOKENS: Final = (
    "Whoever reaches this service from its own machine comes in with a fixed token: not for real patients."
)


class Settings(BaseSettings):
    """What differs from place to place. `docs/` names each; a test compares."""

    model_config = SettingsConfigDict(env_prefix="FOLLOW_UP_", extra="ignore", frozen=True, hide_input_in_errors=True)

    database_url: str = Field(
        "sqlite:///data/follow-up.db", repr=False, description="SQLite file or PostgreSQL; may carry a password"
    )
    key_file: Path | None = Field(None, description="the two keys that seal persons; mode 0600")
    sweep_minutes: int = Field(15, ge=1, le=1440, description="minutes between two sweeps for overdue visits")
    demo_tokens: bool = Field(False, description="honour the demo's fixed tokens, from loopback only")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=1, le=65535, description="port to listen on")
    public_origin: str | None = Field(
        None,
        pattern=r"^https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?$",
        description="where browsers see the service, `https://follow-up.example`; none: as each request says",
    )
    trusted_proxies: str = Field(
        "",
        description="addresses or networks of proxies, with commas between, "
        "whose X-Forwarded-For and -Proto are believed",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="from which level on log lines are written"
    )
    rate_per_second: int = Field(50, ge=1, description="requests a second and token, or browser, before 429")

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        for one in _parts(value):
            if ip_network(one).prefixlen == 0:
                raise ValueError("the whole internet is no proxy")
        return value

    @property
    def proxies(self) -> list[str]:
        """The trusted proxies' networks. Those of IPv4 stand there as IPv6 writes them too: a socket that listens on
        both sees them so."""
        networks = [ip_network(one) for one in _parts(self.trusted_proxies)]
        mapped = [f"::ffff:{n.network_address}/{96 + n.prefixlen}" for n in networks if isinstance(n, IPv4Network)]
        return [*map(str, networks), *mapped]


def _parts(value: str) -> list[str]:
    return value.replace(",", " ").split()
