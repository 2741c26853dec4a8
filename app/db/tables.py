"""The tables that an export writes and that 2041 must still be able to read. Dates are local (Europe/Stockholm),
instants UTC."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from app.db.columns import Instant

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Closed by people before its window opened; queries say it in these words, so that they use the small index.
CLOSED_EARLY = text("coalesce(completed_on, decided_on) < window_start")

# ---- catalogue ----

centres = Table(
    "centres",
    metadata,
    Column("code", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("city", String, nullable=False),
    Column("region", String, nullable=False),
    Column("hsa_id", String),
    Column("status", String, nullable=False),  # active | upcoming
    Column("lat", Float),
    Column("lon", Float),
    Column("manufactures", String),
)

# What the network's published list counted (8 September 2025); the summary compares and names what it cannot explain.
published_counts = Table(
    "published_counts",
    metadata,
    Column("centre", ForeignKey("centres.code"), primary_key=True),
    Column("context", String, primary_key=True),
    Column("patients", Integer, nullable=False),
    Column("reinfusions", Integer, nullable=False),
    Column("first", String, nullable=False),  # year or month
    Column("counted_on", Date, nullable=False),
)

products = Table(
    "products",
    metadata,
    Column("code", String, primary_key=True),
    Column("inn", String),
    Column("brand", String),
    Column("name_sv", String, nullable=False),
    Column("name_en", String, nullable=False),
    Column("target", String),
    Column("vector", String),
    Column("atmp_class", String),
    Column("class", String, nullable=False, key="plan_class"),  # "none": replaces nothing but itself
    Column("infusions_per_course", Integer, nullable=False),
    # Plain days from a course's first infusion to its last at the latest; null: a course is one infusion.
    Column("course_days", Integer),
    Column("protocol", String),  # null: no follow-up is planned
    Column("status_eu", String),
    Column("verified", Boolean, nullable=False),
)

protocols = Table(
    "protocols",
    metadata,
    Column("code", String, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("body", Text, nullable=False),  # the TOML file as it was loaded; never changes
    Column("loaded_at", Instant, nullable=False),
)

# ---- patients ----

patients = Table(
    "patients",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # name, birth date, numbers, phone, contact persons: db.columns.seal
    Column("key_id", String, nullable=False),
    Column("protected", Boolean, nullable=False),
    # `in-follow-up` | lost | followed-elsewhere | withdrawn | deceased | no-infusion; follows from the events.
    Column("status", String, nullable=False),
    Column("responsible_centre", ForeignKey("centres.code"), nullable=False, index=True),
    Column("registered_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    # What the facts say of silence, whatever day it is (planning/decisions.py); written by settle, no change of the
    # patient's version.
    Column("last_heard_on", Date),
    Column("undecided", String),  # deceased-reported | plan-ended | no-plan; null: nothing of these
    Column("undecided_since", Date),
    Column("quiet_until", Date),  # the day on which a visit next asks for the patient; null: nobody has to ask before
    Index(
        "ix_patients_undecided",
        "responsible_centre",
        "last_heard_on",
        "id",
        sqlite_where=text("undecided IS NOT NULL"),
        postgresql_where=text("undecided IS NOT NULL"),
    ),
    Index(
        "ix_patients_quiet",
        "responsible_centre",
        "last_heard_on",
        "id",
        sqlite_where=text("quiet_until IS NOT NULL"),
        postgresql_where=text("quiet_until IS NOT NULL"),
    ),
)

# Blind: HMAC of system and number under a key of its own. The number itself is sealed with the patient.
patient_identifiers = Table(
    "patient_identifiers",
    metadata,
    Column("blind", LargeBinary, primary_key=True),
    Column("patient_id", ForeignKey("patients.id"), nullable=False, index=True),
    Column("system", String, nullable=False),
)

infusions = Table(
    "infusions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("patient_id", ForeignKey("patients.id"), nullable=False, index=True),
    Column("centre", ForeignKey("centres.code"), nullable=False),
    Column("product", ForeignKey("products.code"), nullable=False),
    Column("context", String, nullable=False),
    Column("infused_on", Date, nullable=False),
    Column("discharged_on", Date),
    Column("indication", String),
    Column("batch", String),
    Column("batch_expires_on", Date),
    Column("in_specification", Boolean),
    Column("continues", ForeignKey("infusions.id")),
    Column("new_course", Boolean, nullable=False),
    Column("protocols", Text),  # JSON list that the sender named; null: the default
    Column("source_system", String),
    Column("source_id", String),
    Column("request", LargeBinary),  # the normalised request, sealed: what a repeated POST is compared with
    Column("child", Boolean, nullable=False),  # under 18 on infused_on
    Column("infusion_number", Integer, nullable=False),
    Column("course_number", Integer, nullable=False),
    Column("reinfusion", Boolean, nullable=False),
    Column("registered_on", Date, nullable=False),
    Column("registered_at", Instant, nullable=False),
    Column("voided", Boolean, nullable=False),
    Column("void_reason", String),
    Column("changed_at", Instant, nullable=False),
    # The sender's own id; a voided infusion gives it free, so that the same sender can record it anew.
    Index(
        "ux_infusions_source",
        "source_system",
        "source_id",
        unique=True,
        sqlite_where=text("NOT voided"),
        postgresql_where=text("NOT voided"),
    ),
    Index(None, "centre", "id"),
)

plans = Table(
    "plans",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("patient_id", ForeignKey("patients.id"), nullable=False, index=True),
    Column("infusion_id", ForeignKey("infusions.id"), nullable=False, index=True),  # the anchor infusion
    # Of the anchor infusion: it may see this plan.
    Column("treating_centre", ForeignKey("centres.code"), nullable=False),
    Column("protocol_code", String, nullable=False),
    Column("protocol_version", Integer, nullable=False),
    Column("purpose", String, nullable=False),
    Column("class", String, nullable=False, key="plan_class"),
    Column("consent", String, nullable=False),
    Column("state", String, nullable=False),  # active | replaced | ended
    Column("ends_on", Date),
    Column("endless", Boolean, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Index(
        "ix_plans_endless",
        "ends_on",
        "id",
        sqlite_where=text("endless AND state = 'active'"),
        postgresql_where=text("endless AND state = 'active'"),
    ),
)

visits = Table(
    "visits",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("plan_id", ForeignKey("plans.id"), nullable=False, index=True),
    Column("patient_id", ForeignKey("patients.id"), nullable=False, index=True),
    Column("infusion_id", ForeignKey("infusions.id"), nullable=False),
    Column("protocol_code", String, nullable=False),
    Column("protocol_version", Integer, nullable=False),
    Column("purpose", String, nullable=False),
    Column("centre", ForeignKey("centres.code"), nullable=False),  # responsible while open; its own once closed
    Column("treating_centre", ForeignKey("centres.code"), nullable=False),
    # Responsible on window_end: completeness counts there.
    Column("end_centre", ForeignKey("centres.code"), nullable=False),
    Column("code", String, nullable=False),
    Column("anchor", String, nullable=False),
    Column("provisional", Boolean, nullable=False),
    Column("target_on", Date),  # null, as the window: people closed it, and its plan has no such code any more
    Column("window_start", Date),
    Column("window_end", Date),
    Column("suggested_on", Date),
    Column("report_due_on", Date),
    Column("outcome", String),  # completed | missed | cancelled; null while open
    Column("reason", String),  # why missed or cancelled
    Column("decided_by", String),  # the person or system; null: planning's own mark, made anew at every replan
    Column("decided_at", Instant),
    Column("decided_on", Date),  # the local day of the act
    Column("confirmed_for", Date),  # the window_start before which a person has confirmed that it was closed
    Column("booked_on", Date),
    Column("completed_on", Date),
    Column("completed_mode", String),
    Column("performed_by", String),
    Column("response", String),
    Column("response_text", String),
    Column("alert_after", Date),  # the sweep raises the alert once this day has passed; null: nothing to raise
    Column("changed_at", Instant, nullable=False),
    UniqueConstraint("plan_id", "code"),
    Index(
        "ix_visits_to_flag",
        "alert_after",
        "id",
        sqlite_where=text("alert_after IS NOT NULL"),
        postgresql_where=text("alert_after IS NOT NULL"),
    ),
    Index(
        "ix_visits_open",
        "centre",
        "window_end",
        "id",
        sqlite_where=text("outcome IS NULL"),
        postgresql_where=text("outcome IS NULL"),
    ),
    Index("ix_visits_all", "centre", "window_end", "id"),
    Index(
        "ix_visits_closed_early", "centre", "window_end", "id", sqlite_where=CLOSED_EARLY, postgresql_where=CLOSED_EARLY
    ),
)

contacts = Table(
    "contacts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("visit_id", ForeignKey("visits.id"), index=True),  # null: a contact without a visit
    Column("patient_id", ForeignKey("patients.id"), nullable=False, index=True),
    Column("channel", String),
    Column("outcome", String),
    Column("contacted_on", Date, nullable=False),
    Column("remind_on", Date),
    Column("note", LargeBinary),  # sealed
    Column("source_system", String),
    Column("source_id", String),
    Column("recorded_on", Date, nullable=False),  # the clock's local day: until its end it can be taken back
    Column("recorded_at", Instant, nullable=False),
    Column("recorded_by", String, nullable=False),
    # Of the token or account; null: from before names were unique, by a name that several bear.
    Column("recorded_by_id", String),
    Column("taken_back_at", Instant),  # by whom stands in the history
    UniqueConstraint("source_system", "source_id"),
)

# An infusion of another centre that was refused, for the responsible centre to decide on: who and when, and nothing of
# what was sent (rule 11).
refused_infusions = Table(
    "refused_infusions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("patient_id", ForeignKey("patients.id"), nullable=False),
    Column("centre", ForeignKey("centres.code"), nullable=False),  # whose infusion it was
    Column("refused_on", Date, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("recorded_by", String, nullable=False),
    Column("recorded_by_id", String, nullable=False),
    Column("ended_at", Instant),  # reinstated, corrected, or recorded after all
    # The same refusal again, as senders repeat it, is one row.
    Index(
        "ux_refused_infusions_standing",
        "patient_id",
        "centre",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)

patient_events = Table(
    "patient_events",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("patient_id", ForeignKey("patients.id"), nullable=False, index=True),
    Column("type", String, nullable=False),
    Column("on", Date, nullable=False, key="occurred_on"),
    # JSON: the event's own fields (centre, where, plan_id, answer, entered_in_error, decision, protocol ...).
    Column("details", Text, nullable=False),
    Column("note", LargeBinary),  # sealed
    Column("source_system", String),
    Column("source_id", String),
    Column("recorded_at", Instant, nullable=False),
    Column("recorded_by", String, nullable=False),
    # Of the token or account; null: from before names were unique, by a name that several bear.
    Column("recorded_by_id", String),
    Column("recorded_on", Date, nullable=False),  # the clock's local day: until its end its author can take it back
    UniqueConstraint("source_system", "source_id"),
)

# ---- alerts and their feed ----

alerts = Table(
    "alerts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("visit_id", ForeignKey("visits.id"), nullable=False, index=True),
    Column("patient_id", ForeignKey("patients.id"), nullable=False, index=True),
    Column("centre", ForeignKey("centres.code"), nullable=False),
    Column("code", String, nullable=False),
    Column("purpose", String, nullable=False),
    Column("window_end", Date, nullable=False),
    Column("state", String, nullable=False),  # open | acknowledged | resolved
    Column("raised_at", Instant, nullable=False),
    Column("acknowledged_at", Instant),
    Column("acknowledged_by", String),  # null with state acknowledged: because the patient is lost, not by a person
    Column("reason", String),
    Column("resolved_at", Instant),
    Column("resolved_by", String),
    # At most one unresolved alert a visit: two workers at once raise nothing twice.
    Index(
        "ux_alerts_unresolved",
        "visit_id",
        unique=True,
        sqlite_where=text("state <> 'resolved'"),
        postgresql_where=text("state <> 'resolved'"),
    ),
    Index(
        "ix_alerts_unresolved",
        "centre",
        "id",
        sqlite_where=text("state <> 'resolved'"),
        postgresql_where=text("state <> 'resolved'"),
    ),
)

events = Table(
    "events",
    metadata,
    # 1, 2, 3 ... in the order of commits, without a gap: numbered under feed_head's row lock.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("id", Uuid, nullable=False, unique=True),
    Column("type", String, nullable=False),
    Column("at", Instant, nullable=False),
    Column("alert_id", Uuid, nullable=False),
    Column("visit_id", Uuid, nullable=False),
    Column("patient_id", Uuid, nullable=False),
    Column("centre", String, nullable=False),
    Column("code", String, nullable=False),
    Column("window_end", Date, nullable=False),
    Column("state", String, nullable=False),
    Column("resolved_by", String),
    Index(None, "centre", "seq"),
)

feed_head = Table(
    "feed_head",
    metadata,
    Column("id", Integer, primary_key=True),  # always 1
    Column("epoch", Integer, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("last_at", Instant, nullable=False),  # moves at every writing commit: the stamp of every ETag
)

# ---- what has been changed, and who has read ----

history = Table(
    "history",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor", String, nullable=False),
    # Of the token or account; null: from before names were unique, by a name that several bear.
    Column("actor_id", String),
    Column("role", String, nullable=False),
    Column("unit", String, nullable=False),
    Column("patient_id", Uuid, index=True),
    Column("kind", String, nullable=False),  # infusion | patient | visit | plan | event | contact | alert | token ...
    Column("object_id", String, nullable=False),
    Column("act", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # {"before": ..., "after": ...}
)

access_log = Table(
    "access_log",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor", String, nullable=False),
    # Of the token or account; null: from before names were unique, by a name that several bear.
    Column("actor_id", String),
    Column("role", String, nullable=False),
    Column("unit", String, nullable=False),
    Column("what", String, nullable=False),
    Column("why", String),
    Column("request_id", String, nullable=False),
    Column("patients", Text, nullable=False),  # the ids, separated by a space
    Index(None, "at"),
)

# The reads of each patient, newest last: made from the log's own `patients` and in the same statement, and to be made
# again from it. Without a foreign key, which would be looked up for each of a list's fifty patients; log rows are never
# removed.
access_log_patients = Table(
    "access_log_patients",
    metadata,
    Column("patient_id", Uuid, primary_key=True),
    Column("log_id", Uuid, primary_key=True),
    sqlite_with_rowid=False,
)
