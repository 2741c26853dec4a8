"""Who acts: roles, acts, and the one table of who may do what (contract 8; docs/security.md prints it)."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum

from app.errors import Forbidden, NotYourCentre


class Role(StrEnum):
    """The roles of contract 8; `operator` is the command line on the machine itself, `worker` the sweeping process."""

    NURSE = "nurse"
    CLINICIAN = "clinician"
    COORDINATOR = "coordinator"
    INTEGRATION = "integration"
    NETWORK = "network"
    AUDITOR = "auditor"
    ADMIN = "admin"
    OPERATOR = "operator"
    WORKER = "worker"


class Act(StrEnum):
    """What one may be allowed to do. Every route declares exactly one, every act of `followup` asks for it."""

    READ_PATIENTS = "read patients and infusions"
    READ_VISITS = "read visits"
    READ_ALERTS = "read alerts and the feed"
    RECORD_INFUSION = "record an infusion"
    CORRECT_INFUSION = "correct an infusion"
    CHANGE_PATIENT = "change patient data"
    LIFT_PROTECTION = "lift the protection of an identity"
    VOID_INFUSION = "void an infusion"
    REPORT_EVENT = "report a patient event"
    TRANSFER_PATIENT = "transfer a patient, or say that a reported death is none"
    TAKE_BACK_EVENT = "take back an event (a nurse: her own, on its day, while nothing later rests on it)"
    WORK_VISIT = "book, miss, cancel or reopen a visit, log a contact"
    COMPLETE_VISIT = "complete a visit"
    WAIVE_VISIT = "mark a visit as not required"
    ACKNOWLEDGE_ALERT = "acknowledge an alert"
    READ_CENTRE_FIGURES = "read a centre's figures"
    READ_NETWORK_FIGURES = "read the network's figures"
    READ_CATALOGUE = "read centres, products and protocols"
    CHANGE_CATALOGUE = "change centres, products and protocols"
    IMPORT = "import infusions"
    READ_HISTORY = "read the history of changes"
    READ_ACCESS_LOG = "read who has read"
    MANAGE_ACCOUNTS = "manage tokens and settings"
    SWEEP = "flag overdue visits"
    RECALL_ALERTS = "take back alerts raised ahead of their day"
    MOVE_DEMO_CLOCK = "move the demo's day"


WARD = frozenset({Role.NURSE, Role.CLINICIAN, Role.COORDINATOR})
SYSTEMS = WARD | {Role.INTEGRATION}
_EVERYBODY = frozenset(Role) - {Role.OPERATOR, Role.WORKER}

# The operator may do everything, so it is not repeated in each line.
MAY: Mapping[Act, frozenset[Role]] = {
    Act.READ_PATIENTS: SYSTEMS,
    Act.READ_VISITS: SYSTEMS,
    Act.READ_ALERTS: SYSTEMS,
    Act.RECORD_INFUSION: SYSTEMS,
    Act.CORRECT_INFUSION: SYSTEMS,
    Act.CHANGE_PATIENT: SYSTEMS,
    Act.LIFT_PROTECTION: WARD - {Role.NURSE},
    Act.VOID_INFUSION: WARD - {Role.NURSE},
    Act.REPORT_EVENT: SYSTEMS,
    Act.TRANSFER_PATIENT: WARD - {Role.NURSE},
    Act.TAKE_BACK_EVENT: WARD,
    Act.WORK_VISIT: WARD,
    Act.COMPLETE_VISIT: SYSTEMS,
    Act.WAIVE_VISIT: WARD - {Role.NURSE},
    Act.ACKNOWLEDGE_ALERT: SYSTEMS,
    Act.READ_CENTRE_FIGURES: WARD | {Role.NETWORK, Role.ADMIN},
    Act.READ_NETWORK_FIGURES: WARD | {Role.NETWORK, Role.ADMIN},
    Act.READ_CATALOGUE: _EVERYBODY,
    Act.CHANGE_CATALOGUE: frozenset({Role.ADMIN}),
    Act.IMPORT: frozenset({Role.COORDINATOR}),
    Act.READ_HISTORY: WARD,
    Act.READ_ACCESS_LOG: frozenset({Role.AUDITOR}),
    Act.MANAGE_ACCOUNTS: frozenset({Role.ADMIN}),
    Act.SWEEP: frozenset({Role.WORKER}),
    Act.RECALL_ALERTS: frozenset(),
    Act.MOVE_DEMO_CLOCK: _EVERYBODY,
}

# A token of a system needs one of these scopes for the act; acts without a line need none.
SCOPE: Mapping[Act, str] = {
    Act.READ_PATIENTS: "patients:read",
    Act.READ_VISITS: "visits:read",
    Act.READ_ALERTS: "alerts:read",
    Act.RECORD_INFUSION: "infusions:write",
    Act.CORRECT_INFUSION: "infusions:write",
    Act.CHANGE_PATIENT: "patients:write",
    Act.REPORT_EVENT: "patients:write",
    Act.COMPLETE_VISIT: "visits:write",
    Act.ACKNOWLEDGE_ALERT: "alerts:write",
}
SCOPES = frozenset(SCOPE.values())


@dataclass(frozen=True, slots=True)
class Actor:
    """Who calls. `centres` None means every centre. History and access log write both `id` and `name`: the id of the
    token or account, which is never given again and by which alone one caller is distinguished from another, and the
    name that people read (never a person's number)."""

    name: str
    role: Role
    centres: frozenset[str] | None
    scopes: frozenset[str] = frozenset()
    unit: str = ""
    _: KW_ONLY
    id: str

    def may(self, act: Act) -> bool:
        """Whether role and scopes allow the act; the centre is asked for where the object is loaded."""
        if self.role is Role.OPERATOR:
            return True
        if self.role not in MAY[act]:
            return False
        return self.role is not Role.INTEGRATION or act not in SCOPE or SCOPE[act] in self.scopes

    def must(self, act: Act) -> None:
        """Raises Forbidden when the role or the token's scopes lack the act."""
        if not self.may(act):
            raise Forbidden(f"Your role or token may not: {act.value}.")

    def wrote(self, recorded_by_id: str | None) -> bool:
        """Whether a row that names the id of who recorded it names this actor."""
        return recorded_by_id == self.id

    def must_belong_to(self, centre: str, field: str = "centre") -> None:
        """Raises NotYourCentre for a centre's code that is not the caller's (contract 1: a foreign code is 403)."""
        if self.centres is not None and centre not in self.centres:
            raise NotYourCentre("This centre is not one of yours; use one of your own centres.", field=field)
