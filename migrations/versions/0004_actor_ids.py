"""Who acted stands beside the name as the id of the token or account; where several bore the name, nobody knows which,
and the id stays null."""

from collections import defaultdict

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SIGNED = {"history": "actor", "access_log": "actor", "contacts": "recorded_by", "patient_events": "recorded_by"}
# Actors without a token or account that is stored: their id is their name.
OWN, OWN_BEGINNINGS = ("worker", "demo"), ("operator:", "demo-")


def upgrade() -> None:
    for table, column in SIGNED.items():
        op.add_column(table, sa.Column(f"{column}_id", sa.String))
    names = op.create_table("actor_names", sa.Column("name", sa.String, primary_key=True), sa.Column("id", sa.String))
    op.bulk_insert(
        names,
        [
            {"name": name, "id": ids[0] if len(ids) == 1 and not _is_own(name) else None}
            for name, ids in _bearers().items()
        ],
    )
    for table, column in SIGNED.items():
        op.execute(f"UPDATE {table} SET {column}_id = {_id_of(column)}")  # noqa: S608
    # A report whose owner cannot be told from another of the same name is nobody's from here on; the import itself
    # stands.
    op.execute(f"UPDATE imports SET owner = COALESCE({_id_of('owner')}, '')")  # noqa: S608
    op.execute("DELETE FROM kept_forms")  # they live for half an hour
    op.drop_table("actor_names")


def downgrade() -> None:
    connection = op.get_bind()
    names = {bearer: name for name, ids in _bearers().items() for bearer in ids}
    for owner in connection.execute(sa.text("SELECT DISTINCT owner FROM imports")).scalars().all():
        connection.execute(
            sa.text("UPDATE imports SET owner = :name WHERE owner = :id"),
            {"name": names.get(owner, owner), "id": owner},
        )
    op.execute("DELETE FROM kept_forms")
    for table, column in SIGNED.items():
        op.drop_column(table, f"{column}_id")


def _bearers() -> dict[str, list[str]]:
    """The ids of all tokens and accounts, closed ones too, that write a name."""
    connection, found = op.get_bind(), defaultdict(list)
    accounts = sa.table("accounts", sa.column("id", sa.Uuid), sa.column("username", sa.String))
    tokens = sa.table("tokens", sa.column("id", sa.String), sa.column("name", sa.String))
    for table, name in ((accounts, accounts.c.username), (tokens, tokens.c.name)):
        for row in connection.execute(sa.select(table.c.id, name)):
            found[row[1]].append(str(row[0]))
    return found


def _is_own(name: str) -> bool:
    return name in OWN or name.startswith(OWN_BEGINNINGS)


def _id_of(column: str) -> str:
    own = " OR ".join(
        [*(f"{column} = '{name}'" for name in OWN), *(f"{column} LIKE '{beginning}%'" for beginning in OWN_BEGINNINGS)]
    )
    known = f"(SELECT actor_names.id FROM actor_names WHERE actor_names.name = {column})"  # noqa: S608
    named = f"{column} IN (SELECT name FROM actor_names)"  # noqa: S608
    return f"CASE WHEN {named} THEN {known} WHEN {own} THEN {column} END"
