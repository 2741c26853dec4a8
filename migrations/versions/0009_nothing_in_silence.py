"""What a patient's facts say of silence, contacts without a visit and taken back, and infusions of another centre that
were refused."""

import sqlalchemy as sa
from alembic import op

# ruff: noqa: S608 - constants only

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# App.db.columns.Instant, as it was when this was written.
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(24), "sqlite")
STANDING = (
    ("last_heard_on", sa.Date),
    ("undecided", sa.String),
    ("undecided_since", sa.Date),
    ("quiet_until", sa.Date),
)
PARTIAL = {"ix_patients_undecided": "undecided IS NOT NULL", "ix_patients_quiet": "quiet_until IS NOT NULL"}

# The days on which a patient was heard of; the first is what all others are compared with.
HEARD = (
    "SELECT max(infused_on) FROM infusions WHERE patient_id = patients.id AND NOT voided",
    "SELECT max(discharged_on) FROM infusions WHERE patient_id = patients.id AND NOT voided",
    "SELECT max(completed_on) FROM visits WHERE patient_id = patients.id AND outcome = 'completed'",
    """SELECT max("on") FROM patient_events WHERE patient_id = patients.id AND type = 'survival'""",
    """SELECT max(contacted_on) FROM contacts WHERE patient_id = patients.id
    AND outcome IN ('will-come', 'other-day', 'declined', 'elsewhere')""",
    # Where no infusion counts: the day of the first entry.
    "SELECT min(registered_on) FROM infusions WHERE patient_id = patients.id AND patients.last_heard_on IS NULL",
)
COUNTED = "EXISTS (SELECT 1 FROM infusions i WHERE i.patient_id = patients.id AND NOT i.voided)"
OPEN_CARE = (
    "EXISTS (SELECT 1 FROM visits v WHERE v.patient_id = patients.id AND v.purpose = 'care' AND v.outcome IS NULL)"
)
LAY_AHEAD = """EXISTS (SELECT 1 FROM visits v WHERE v.patient_id = patients.id AND v.purpose = 'care'
    AND (v.outcome = 'completed' OR v.reason NOT IN ('before-registration', 'entered-in-error', 'superseded',
    'protocol-change')))"""
REPORTED = "SELECT max(contacted_on) FROM contacts WHERE patient_id = patients.id AND outcome = 'deceased-reported'"
LAST_OPENING = "SELECT min(window_start) FROM visits WHERE patient_id = patients.id AND outcome IS NULL"
BOOKED = (
    "EXISTS (SELECT 1 FROM visits v WHERE v.patient_id = patients.id AND v.outcome IS NULL AND v.booked_on IS NOT NULL)"
)


def upgrade() -> None:
    with op.batch_alter_table("contacts") as contacts:
        contacts.alter_column("visit_id", existing_type=sa.Uuid, nullable=True)
        contacts.add_column(sa.Column("source_system", sa.String))
        contacts.add_column(sa.Column("source_id", sa.String))
        contacts.add_column(sa.Column("taken_back_at", INSTANT))
        contacts.create_unique_constraint("uq_contacts_source_system_source_id", ["source_system", "source_id"])
    _tell_the_day("contacts")
    _tell_the_day("patient_events")
    op.create_table(
        "refused_infusions",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("patient_id", sa.Uuid, sa.ForeignKey("patients.id"), nullable=False),
        sa.Column("centre", sa.String, sa.ForeignKey("centres.code"), nullable=False),
        sa.Column("refused_on", sa.Date, nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("recorded_by", sa.String, nullable=False),
        sa.Column("recorded_by_id", sa.String, nullable=False),
        sa.Column("ended_at", INSTANT),
    )
    standing = sa.text("ended_at IS NULL")
    op.create_index(
        "ux_refused_infusions_standing",
        "refused_infusions",
        ["patient_id", "centre"],
        unique=True,
        sqlite_where=standing,
        postgresql_where=standing,
    )
    for name, kind in STANDING:
        op.add_column("patients", sa.Column(name, kind))
    _fill()
    for name, condition in PARTIAL.items():
        where = sa.text(condition)
        op.create_index(
            name, "patients", ["responsible_centre", "last_heard_on", "id"], sqlite_where=where, postgresql_where=where
        )


def _tell_the_day(name: str) -> None:
    """The local day of recording, which until now was told by the instant alone: in UTC, and no act of before can be
    taken back by its day."""
    op.add_column(name, sa.Column("recorded_on", sa.Date))
    op.execute(
        f"UPDATE {name} SET recorded_on = "
        f"{'CAST(recorded_at AS date)' if _postgres() else 'substr(recorded_at, 1, 10)'}"
    )
    with op.batch_alter_table(name) as changed:
        changed.alter_column("recorded_on", existing_type=sa.Date, nullable=False)


def _fill() -> None:
    """Tells what `settle` tells at every change; nobody has decided anything yet. A reported death is ended by what was
    dated later."""
    for question in HEARD:
        op.execute(
            f"UPDATE patients SET last_heard_on = ({question}) WHERE ({question}) > coalesce(last_heard_on, "
            "'0001-01-01')"
        )
    op.execute(f"UPDATE patients SET status = 'no-infusion' WHERE NOT {COUNTED}")
    op.execute(
        f"""UPDATE patients SET undecided = CASE WHEN {LAY_AHEAD} THEN 'plan-ended' ELSE 'no-plan' END,
        undecided_since = (SELECT max(registered_on) FROM infusions i WHERE i.patient_id = patients.id AND NOT i.voided)
        WHERE status = 'in-follow-up' AND {COUNTED} AND NOT {OPEN_CARE}"""
    )
    a_month = f"({LAST_OPENING}) - 30" if _postgres() else f"date(({LAST_OPENING}), '-30 days')"
    op.execute(
        f"UPDATE patients SET quiet_until = {a_month} WHERE status = 'in-follow-up' AND {COUNTED} AND {OPEN_CARE} AND "
        f"NOT {BOOKED}"
    )
    op.execute(
        f"""UPDATE patients SET undecided = 'deceased-reported', undecided_since = ({REPORTED}), quiet_until = NULL
        WHERE status NOT IN ('deceased', 'no-infusion') AND ({REPORTED}) >= last_heard_on"""
    )


def _postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def downgrade() -> None:
    for name in PARTIAL:
        op.drop_index(name, "patients")
    op.execute("UPDATE patients SET status = 'in-follow-up' WHERE status = 'no-infusion'")
    for name, _ in STANDING:
        op.drop_column("patients", name)
    op.drop_table("refused_infusions")
    op.drop_column("patient_events", "recorded_on")
    # Tables of before know neither of these; the history keeps them.
    op.execute("DELETE FROM contacts WHERE visit_id IS NULL OR taken_back_at IS NOT NULL")
    with op.batch_alter_table("contacts") as contacts:
        contacts.drop_constraint("uq_contacts_source_system_source_id", type_="unique")
        for name in ("recorded_on", "taken_back_at", "source_id", "source_system"):
            contacts.drop_column(name)
        contacts.alter_column("visit_id", existing_type=sa.Uuid, nullable=False)
