"""What the service itself needs and may lose: tokens, accounts, sessions, kept forms, jobs, the worker's last sweep,
the demo's mark."""

from sqlalchemy import Boolean, Column, Date, ForeignKey, Index, Integer, LargeBinary, String, Table, Text, Uuid

from app.db.columns import Instant
from app.db.tables import metadata

tokens = Table(
    "tokens",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("secret_hash", String, nullable=False),  # SHA-256 of a 256-bit secret
    Column("role", String, nullable=False),
    Column("centres", Text, nullable=False),  # codes separated by a space; "all"
    Column("scopes", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Column("last_used_at", Instant),  # at most a few minutes behind
    Column("expires_at", Instant, nullable=False),
    Index("ux_tokens_name", "name", unique=True),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("username", String, nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("role", String, nullable=False),
    Column("centres", Text, nullable=False),  # codes separated by a space; "all"
    Column("password_hash", String, nullable=False),  # argon2id
    Column("language", String, nullable=False),
    Column("single_keys", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("disabled_at", Instant),
    Index("ux_accounts_name", "name", unique=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String, primary_key=True),  # SHA-256 of the cookie's 256-bit secret
    Column("account_id", Uuid, ForeignKey("accounts.id")),
    Column("demo_token", String),  # a session of the demo stands on one of its fixed tokens
    Column("language", String, nullable=False),
    Column("hide_names", Boolean, nullable=False),
    Column("single_keys", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("ended_at", Instant),
)

kept_forms = Table(
    "kept_forms",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner", String, nullable=False),  # the actor's id
    Column("path", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # the fields
    Column("created_at", Instant, nullable=False),
)

imports = Table(
    "imports",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner", String, nullable=False),  # the actor's id
    Column("state", String, nullable=False),  # running | finished | interrupted
    Column("dry_run", Boolean, nullable=False),
    Column("total", Integer, nullable=False),  # rows of the file
    Column("started_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),  # the last sign of life of who works the rows off
)

import_items = Table(
    "import_items",
    metadata,
    Column("import_id", Uuid, ForeignKey("imports.id"), primary_key=True),
    Column("row", Integer, primary_key=True, autoincrement=False),
    Column("verdict", String, nullable=False),  # accepted | unchanged | rejected
    Column("code", String),
    Column("field", String),
    Column("message", Text),  # no persons
    Column("infusion_id", Uuid),
    Column("warnings", Text, nullable=False),  # codes separated by a space
)

service_state = Table(
    "service_state",
    metadata,
    Column("id", Integer, primary_key=True),  # always 1
    Column("last_swept_on", Date),
    Column("last_sweep_at", Instant),
    Column("last_sweep_raised", Integer, nullable=False),
    Column("last_sweep_ms", Integer, nullable=False),
    # The last sweep whose day did not follow from the one before: that day, its own, and when it was.
    Column("jumped_from", Date),
    Column("jumped_to", Date),
    Column("jumped_at", Instant),
    Column("demo", Boolean, nullable=False),
    Column("demo_offset_days", Integer, nullable=False),
)
