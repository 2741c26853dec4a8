"""The first tables: catalogue, patients, infusions, plans, visits, alerts with their feed, history, access log, and the
service's own."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# App.db.columns.Instant, as it was when this was written.
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(24), "sqlite")

CENTRE = "centres.code"
PATIENT = "patients.id"
INFUSION = "infusions.id"


def upgrade() -> None:
    _catalogue()
    _patients()
    _infusions()
    _plans()
    _visits()
    _what_happened()
    _alerts()
    _feed()
    _logs()
    _service()


def downgrade() -> None:
    for table in (
        "service_state", "imports", "tokens", "access_log", "history", "feed_head", "events", "alerts",
         "patient_events", "contacts",
        "visits", "plans", "infusions", "patient_identifiers", "patients", "protocols", "products", "published_counts",
         "centres",
    ):  # fmt: skip
        op.drop_table(table)


def _partial(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _catalogue() -> None:
    op.create_table(
        "centres",
        sa.Column("code", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("city", sa.String, nullable=False),
        sa.Column("region", sa.String, nullable=False),
        sa.Column("hsa_id", sa.String),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("lat", sa.Float),
        sa.Column("lon", sa.Float),
        sa.Column("manufactures", sa.String),
    )
    op.create_table(
        "published_counts",
        sa.Column("centre", sa.String, sa.ForeignKey(CENTRE), primary_key=True),
        sa.Column("context", sa.String, primary_key=True),
        sa.Column("patients", sa.Integer, nullable=False),
        sa.Column("reinfusions", sa.Integer, nullable=False),
        sa.Column("first", sa.String, nullable=False),
        sa.Column("counted_on", sa.Date, nullable=False),
    )
    op.create_table(
        "products",
        sa.Column("code", sa.String, primary_key=True),
        sa.Column("inn", sa.String),
        sa.Column("brand", sa.String),
        sa.Column("target", sa.String),
        sa.Column("vector", sa.String),
        sa.Column("atmp_class", sa.String),
        sa.Column("class", sa.String, nullable=False),
        sa.Column("infusions_per_course", sa.Integer, nullable=False),
        sa.Column("protocol", sa.String),
        sa.Column("status_eu", sa.String),
        sa.Column("verified", sa.Boolean, nullable=False),
    )
    op.create_table(
        "protocols",
        sa.Column("code", sa.String, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("loaded_at", INSTANT, nullable=False),
    )


def _patients() -> None:
    op.create_table(
        "patients",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("key_id", sa.String, nullable=False),
        sa.Column("protected", sa.Boolean, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("responsible_centre", sa.String, sa.ForeignKey(CENTRE), nullable=False, index=True),
        sa.Column("registered_at", INSTANT, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
    )
    op.create_table(
        "patient_identifiers",
        sa.Column("blind", sa.LargeBinary, primary_key=True),
        sa.Column("patient_id", sa.Uuid, sa.ForeignKey(PATIENT), nullable=False, index=True),
        sa.Column("system", sa.String, nullable=False),
    )


def _infusions() -> None:
    op.create_table(
        "infusions",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("patient_id", sa.Uuid, sa.ForeignKey(PATIENT), nullable=False, index=True),
        sa.Column("centre", sa.String, sa.ForeignKey(CENTRE), nullable=False),
        sa.Column("product", sa.String, sa.ForeignKey("products.code"), nullable=False),
        sa.Column("context", sa.String, nullable=False),
        sa.Column("infused_on", sa.Date, nullable=False),
        sa.Column("discharged_on", sa.Date),
        sa.Column("indication", sa.String),
        sa.Column("batch", sa.String),
        sa.Column("batch_expires_on", sa.Date),
        sa.Column("in_specification", sa.Boolean),
        sa.Column("continues", sa.Uuid, sa.ForeignKey(INFUSION)),
        sa.Column("new_course", sa.Boolean, nullable=False),
        sa.Column("protocols", sa.Text),
        sa.Column("source_system", sa.String),
        sa.Column("source_id", sa.String),
        sa.Column("request", sa.LargeBinary),
        sa.Column("child", sa.Boolean, nullable=False),
        sa.Column("infusion_number", sa.Integer, nullable=False),
        sa.Column("course_number", sa.Integer, nullable=False),
        sa.Column("reinfusion", sa.Boolean, nullable=False),
        sa.Column("registered_on", sa.Date, nullable=False),
        sa.Column("registered_at", INSTANT, nullable=False),
        sa.Column("voided", sa.Boolean, nullable=False),
        sa.Column("void_reason", sa.String),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.UniqueConstraint("source_system", "source_id"),
    )
    op.create_index("ix_infusions_centre_id", "infusions", ["centre", "id"])


def _plans() -> None:
    op.create_table(
        "plans",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("patient_id", sa.Uuid, sa.ForeignKey(PATIENT), nullable=False, index=True),
        sa.Column("infusion_id", sa.Uuid, sa.ForeignKey(INFUSION), nullable=False, index=True),
        sa.Column("treating_centre", sa.String, sa.ForeignKey(CENTRE), nullable=False),
        sa.Column("protocol_code", sa.String, nullable=False),
        sa.Column("protocol_version", sa.Integer, nullable=False),
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("class", sa.String, nullable=False),
        sa.Column("consent", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("ends_on", sa.Date),
        sa.Column("endless", sa.Boolean, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
    )
    _partial("ix_plans_endless", "plans", ["ends_on", "id"], "endless AND state = 'active'")


def _visits() -> None:
    op.create_table(
        "visits",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("plan_id", sa.Uuid, sa.ForeignKey("plans.id"), nullable=False, index=True),
        sa.Column("patient_id", sa.Uuid, sa.ForeignKey(PATIENT), nullable=False, index=True),
        sa.Column("infusion_id", sa.Uuid, sa.ForeignKey(INFUSION), nullable=False),
        sa.Column("protocol_code", sa.String, nullable=False),
        sa.Column("protocol_version", sa.Integer, nullable=False),
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("centre", sa.String, sa.ForeignKey(CENTRE), nullable=False),
        sa.Column("treating_centre", sa.String, sa.ForeignKey(CENTRE), nullable=False),
        sa.Column("end_centre", sa.String, sa.ForeignKey(CENTRE), nullable=False),
        sa.Column("code", sa.String, nullable=False),
        sa.Column("anchor", sa.String, nullable=False),
        sa.Column("provisional", sa.Boolean, nullable=False),
        sa.Column("target_on", sa.Date, nullable=False),
        sa.Column("window_start", sa.Date, nullable=False),
        sa.Column("window_end", sa.Date, nullable=False),
        sa.Column("suggested_on", sa.Date),
        sa.Column("report_due_on", sa.Date),
        sa.Column("outcome", sa.String),
        sa.Column("reason", sa.String),
        sa.Column("decided_by", sa.String),
        sa.Column("decided_at", INSTANT),
        sa.Column("booked_on", sa.Date),
        sa.Column("completed_on", sa.Date),
        sa.Column("completed_mode", sa.String),
        sa.Column("performed_by", sa.String),
        sa.Column("response", sa.String),
        sa.Column("response_text", sa.String),
        sa.Column("alert_after", sa.Date),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.UniqueConstraint("plan_id", "code"),
    )
    _partial("ix_visits_to_flag", "visits", ["alert_after", "id"], "alert_after IS NOT NULL")
    _partial("ix_visits_open", "visits", ["centre", "window_end", "id"], "outcome IS NULL")
    op.create_index("ix_visits_all", "visits", ["centre", "window_end", "id"])


def _what_happened() -> None:
    op.create_table(
        "contacts",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("visit_id", sa.Uuid, sa.ForeignKey("visits.id"), nullable=False, index=True),
        sa.Column("patient_id", sa.Uuid, sa.ForeignKey(PATIENT), nullable=False, index=True),
        sa.Column("channel", sa.String),
        sa.Column("outcome", sa.String),
        sa.Column("contacted_on", sa.Date, nullable=False),
        sa.Column("remind_on", sa.Date),
        sa.Column("note", sa.LargeBinary),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("recorded_by", sa.String, nullable=False),
    )
    op.create_table(
        "patient_events",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("patient_id", sa.Uuid, sa.ForeignKey(PATIENT), nullable=False, index=True),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("on", sa.Date, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("note", sa.LargeBinary),
        sa.Column("source_system", sa.String),
        sa.Column("source_id", sa.String),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("recorded_by", sa.String, nullable=False),
        sa.UniqueConstraint("source_system", "source_id"),
    )


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("visit_id", sa.Uuid, sa.ForeignKey("visits.id"), nullable=False, index=True),
        sa.Column("patient_id", sa.Uuid, sa.ForeignKey(PATIENT), nullable=False, index=True),
        sa.Column("centre", sa.String, sa.ForeignKey(CENTRE), nullable=False),
        sa.Column("code", sa.String, nullable=False),
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("window_end", sa.Date, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("raised_at", INSTANT, nullable=False),
        sa.Column("acknowledged_at", INSTANT),
        sa.Column("acknowledged_by", sa.String),
        sa.Column("reason", sa.String),
        sa.Column("resolved_at", INSTANT),
        sa.Column("resolved_by", sa.String),
    )
    _partial("ux_alerts_unresolved", "alerts", ["visit_id"], "state <> 'resolved'", unique=True)
    _partial("ix_alerts_unresolved", "alerts", ["centre", "id"], "state <> 'resolved'")


def _feed() -> None:
    op.create_table(
        "events",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("id", sa.Uuid, nullable=False, unique=True),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("alert_id", sa.Uuid, nullable=False),
        sa.Column("visit_id", sa.Uuid, nullable=False),
        sa.Column("patient_id", sa.Uuid, nullable=False),
        sa.Column("centre", sa.String, nullable=False),
        sa.Column("code", sa.String, nullable=False),
        sa.Column("window_end", sa.Date, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("resolved_by", sa.String),
    )
    op.create_index("ix_events_centre_seq", "events", ["centre", "seq"])
    op.create_table(
        "feed_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("last_at", INSTANT, nullable=False),
    )


def _logs() -> None:
    op.create_table(
        "history",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("unit", sa.String, nullable=False),
        sa.Column("patient_id", sa.Uuid, index=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("object_id", sa.String, nullable=False),
        sa.Column("act", sa.String, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "access_log",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("at", INSTANT, nullable=False, index=True),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("unit", sa.String, nullable=False),
        sa.Column("what", sa.String, nullable=False),
        sa.Column("why", sa.String),
        sa.Column("request_id", sa.String, nullable=False),
        sa.Column("patients", sa.Text, nullable=False),
    )


def _service() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("secret_hash", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("centres", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("revoked_at", INSTANT),
    )
    op.create_table(
        "imports",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("dry_run", sa.Boolean, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("report", sa.Text, nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
    )
    op.create_table(
        "service_state",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("last_swept_on", sa.Date),
        sa.Column("last_sweep_at", INSTANT),
        sa.Column("last_sweep_raised", sa.Integer, nullable=False),
        sa.Column("last_sweep_ms", sa.Integer, nullable=False),
        sa.Column("demo", sa.Boolean, nullable=False),
        sa.Column("demo_offset_days", sa.Integer, nullable=False),
    )
