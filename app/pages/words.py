"""What codes are called on a page. The English word is the message that the catalogues translate; one thing has one
name, in both languages."""

from collections.abc import Mapping


def N_(word: str) -> str:  # noqa: N802 - the name that babel's extraction knows
    """Marks a word for the catalogues; it is translated when it is shown."""
    return word


WORDS: Mapping[str, Mapping[str, str]] = {
    "group": {
        "decision": N_("Needs a decision"),
        "overdue": N_("Overdue visits"),
        "now": N_("Now"),
        "opening": N_("Opens within 30 days"),
        "asleep": N_("Waits until a later day"),
    },
    "state": {
        "planned": N_("planned"),
        "due": N_("now"),
        "overdue": N_("overdue"),
        "completed": N_("done"),
        "missed": N_("missed"),
        "cancelled": N_("cancelled"),
    },
    "decision": {
        "deceased-reported": N_("death reported"),
        "overdue-twelve-months": N_("over a year"),
        "two-windows-missed": N_("2 windows missed"),
        "three-attempts": N_("3 attempts"),
        "decided-before-window": N_("before its window"),
    },
    "channel": {
        "phone": N_("phone"),
        "letter": N_("letter"),
        "1177": N_("1177"),
        "relative": N_("relative"),
        "home-hospital": N_("home hospital"),
    },
    "outcome": {
        "no-answer": N_("no answer"),
        "busy": N_("busy"),
        "wrong-number": N_("wrong number"),
        "letter-sent": N_("letter sent"),
        "given-to-booking": N_("given to booking"),
        "will-come": N_("will come"),
        "other-day": N_("wants another day"),
        "declined": N_("declines"),
        "elsewhere": N_("cared for elsewhere"),
        "deceased-reported": N_("deceased, as reported"),
        "postponed": N_("no attempt: only remind again"),
    },
    "response": {
        "CR": N_("complete remission"),
        "PR": N_("partial remission"),
        "SD": N_("stable disease"),
        "PD": N_("progressive disease"),
        "NE": N_("not evaluated"),
    },
    "mode": {
        "visit": N_("at the clinic"),
        "phone": N_("by phone"),
        "letter": N_("by letter"),
        "sample": N_("by a sample"),
        "form": N_("by a form"),
    },
    "reason": {
        "before-registration": N_("before it was registered"),
        "entered-in-error": N_("entered in error"),
        "not-required": N_("not required"),
        "superseded": N_("superseded by a newer infusion"),
        "deceased": N_("deceased"),
        "withdrawn": N_("withdrawn from care"),
        "consent-withdrawn": N_("consent withdrawn"),
        "closed-before-death": N_("missed before the death"),
        "closed-before-withdrawal": N_("missed before the withdrawal"),
        "closed-before-reinfusion": N_("missed before the newer infusion"),
        "replanned": N_("moved"),
        "closed-before-consent-withdrawal": N_("missed before consent was withdrawn"),
    },
    "status": {
        "in-follow-up": N_("in follow-up"),
        "deceased": N_("deceased"),
        "withdrawn": N_("withdrawn from care"),
        "lost": N_("lost to follow-up"),
        "followed-elsewhere": N_("followed elsewhere"),
        "plan-ended": N_("follow-up ended"),
        "no-infusion": N_("no infusion that counts"),
    },
    "context": {
        "SOC": N_("SOC, standard of care"),
        "ACT": N_("ACT, academic clinical trial"),
        "ICT": N_("ICT, industry clinical trial"),
        "CUP": N_("CUP, compassionate use"),
        "HE": N_("HE, hospital exemption"),
    },
    # Why a patient needs a decision beside any visit.
    "undecided": {
        "infusion-refused": N_(
            "an infusion of another centre was refused, since it does not fit what is recorded here"
        ),
        "deceased-reported": N_("death reported"),
        "plan-ended": N_("the plan has ended"),
        "no-plan": N_("no visit was ever ahead"),
        "no-contact": N_("not heard of for fourteen months"),
    },
    "decided": {
        "extend": N_("go on by a further protocol"),
        "hand-over": N_("hand over"),
        "close": N_("close the follow-up"),
        "not-deceased": N_("the patient is not dead"),
    },
    "warning": {
        "late_entry": N_(
            "The infusion is entered more than a year late. Compare its day with the referral before you save."
        ),
        "follow_up_over": N_("The follow-up of this infusion is over already: no visit lies ahead."),
        "name_differs": N_("The person with this number has another name here. Compare both before you save."),
        "birth_date_differs": N_(
            "The person with this number has another birth date here. Compare both before you save."
        ),
        "done_outside_window": N_("A visit that is done now lies outside its window."),
    },
    "column": {
        "name": N_("Name"),
        "number": N_("Personal number"),
        "phone": N_("Phone"),
        "visit": N_("Visit"),
        "window_start": N_("Window from"),
        "window_end": N_("Window until"),
        "state": N_("State"),
        "days_overdue": N_("Days overdue"),
        "booked_on": N_("Booked"),
        "outcome": N_("Last contact"),
        "contacted_on": N_("Day of the last contact"),
    },
    # What is wrong with a personal number, where the error's own words would speak of a day.
    "number": {
        "bad_format": N_("The number cannot be read: write for example 811228-9874 or 198112289874."),
        "bad_date": N_("The number's first digits are no day of birth."),
        "bad_check_digit": N_("The number's check digit is wrong; compare it with the referral."),
    },
    # What tells a patient's plans apart; another protocol is called by its code.
    "protocol": {
        "ltfu-15y": N_("follow-up"),
        "ltfu-15y-d28": N_("follow-up"),
        "ltfu-15y-plus": N_("follow-up"),
        "se-childhood-transition": N_("to adult care"),
        "cibmtr-15y": N_("CIBMTR report"),
    },
    "event": {
        "deceased": N_("Deceased"),
        "withdrawn": N_("Withdrawn from care"),
        "lost-to-follow-up": N_("Lost to follow-up"),
        "survival": N_("Known to be alive"),
        "followed-elsewhere": N_("Followed elsewhere"),
        "relapse": N_("Relapse"),
        "new-therapy": N_("New therapy"),
        "transplant": N_("Transplant"),
        "second-malignancy": N_("Second malignancy"),
        "transferred": N_("Transferred"),
        "reinstated": N_("Taken up again"),
        "decided": N_("Decided"),
    },
    "alert": {"open": N_("open"), "acknowledged": N_("acknowledged"), "resolved": N_("resolved")},
    "role": {
        "nurse": N_("nurse"),
        "clinician": N_("clinician"),
        "coordinator": N_("coordinator"),
        "network": N_("network"),
        "auditor": N_("auditor"),
        "admin": N_("administrator"),
        "integration": N_("system"),
        "operator": N_("operator"),
    },
    "done": {
        "booked": N_("booking changed"),
        "completed": N_("marked as done"),
        "missed": N_("marked as missed"),
        "cancelled": N_("marked as not required"),
        "reopened": N_("undone"),
        "confirmed": N_("confirmed"),
    },
    "kind": {
        "patient": N_("the patient"),
        "infusion": N_("the infusion"),
        "plan": N_("the plan"),
        "visit": N_("visit"),
        "contact": N_("contact"),
        "event": N_("event"),
        "alert": N_("alert"),
    },
    "act": {
        "registered": N_("registered"),
        "recorded": N_("recorded"),
        "changed": N_("changed"),
        "corrected": N_("corrected"),
        "filled in": N_("completed later"),
        "extended": N_("planned further"),
        "renumbered": N_("renumbered"),
        "voided": N_("entered in error"),
        "protection lifted": N_("protection lifted"),
        "recalled": N_("alert taken back"),
        "logged": N_("noted"),
        "taken back": N_("taken back"),
        "acknowledged": N_("acknowledged"),
        "booked": N_("booking changed"),
        "completed": N_("marked as done"),
        "missed": N_("marked as missed"),
        "cancelled": N_("marked as not required"),
        "reopening": N_("to be undone"),
        "confirmed": N_("confirmed"),
        "reopened": N_("undone"),
        "deceased": N_("deceased"),
        "withdrawn": N_("withdrawn from care"),
        "lost-to-follow-up": N_("lost to follow-up"),
        "survival": N_("known to be alive"),
        "followed-elsewhere": N_("followed elsewhere"),
        "relapse": N_("relapse"),
        "new-therapy": N_("new therapy"),
        "transplant": N_("transplant"),
        "second-malignancy": N_("second malignancy"),
        "transferred": N_("transferred"),
        "reinstated": N_("taken up again"),
        "decided": N_("decided"),
    },
    # What a line of the access log says was shown.
    "what": {
        "access log": N_("who has read"),
        "alert": N_("an alert"),
        "alert feed": N_("the alert feed"),
        "alerts": N_("alerts"),
        "contact": N_("a contact"),
        "dry run of an import": N_("a trial import"),
        "due list": N_("the list of what is to be done"),
        "due list exported": N_("the list as CSV"),
        "due list printed": N_("the list on paper"),
        "follow-up": N_("the patient's page"),
        "history": N_("changes"),
        "infusion": N_("the infusion"),
        "infusion preview": N_("the plan of an infusion before it was saved"),
        "infusion preview: known elsewhere": N_("that the person is known in the service"),
        "infusions": N_("infusions"),
        "patient": N_("the patient"),
        "patient event": N_("an event"),
        "patients to decide on": N_("patients to decide on"),
        "patient search": N_("a search"),
        "patient's number": N_("the number in full"),
        "plans": N_("plans"),
        "visit": N_("visit"),
    },
    # What an error's code says to whoever reads the page: why, and what to do next.
    "error": {
        "required": N_("This must be filled in."),
        "bad_date": N_("Write the day as year-month-day, for example 2026-11-23."),
        "looks_like_a_number": N_(
            "A personal number stands here, and others can read it. Take it out; numbers go into the number's own "
            "field."
        ),
        "date_in_future": N_("The day lies in the future; choose today or an earlier day."),
        "date_in_past": N_("The day lies in the past; choose today or a later day."),
        "before_infusion": N_("The day lies before the infusion."),
        "after_death": N_("The day lies after the patient's death."),
        "patient_deceased": N_("The patient is recorded as deceased. Take the death back first if that is an error."),
        "patient_withdrawn": N_("The patient has declined care. Record that care is taken up again first."),
        "window_not_open": N_("The window had not opened on that day."),
        "nearer_to_next": N_("The day is nearer to the next visit than to this one."),
        "invalid": N_("A value here cannot be read."),
        "conflict": N_("What is recorded does not allow this."),
        "unknown_parameter": N_("The address asks for something that this page does not know."),
        "given_twice": N_("The address asks for the same thing twice."),
        "version_required": N_("The page was too old. Open it again and try once more."),
        "reserved_reason": N_("This word is the service's own mark. Say in your own words why the visit was missed."),
        "day_before_today": N_("The demo's day can only be moved forward."),
        "session_was_over": N_("Your session had run out, so nothing was saved. Read it through and save it again."),
        "nothing_to_decide": N_("There is nothing to decide: the follow-up goes on, or has ended otherwise."),
        "nothing_follows": N_("This protocol has no visit ahead. Choose one that goes on."),
        "not_for_care": N_("Follow-up goes on by a care protocol."),
        "other_class": N_("This protocol is for another kind of product."),
        "unknown_protocol": N_("There is no such protocol."),
        "not_your_own": N_("Somebody else has recorded this. Ask them, a clinician or a coordinator to take it back."),
        "not_its_day": N_("This was recorded on an earlier day, so it stays. Record what holds now."),
        "newer_stands": N_("Something recorded later rests on this. Take that back first."),
        "wrong_password": N_("This is not your password."),
        "too_short": N_("A password has twelve characters or more."),
        "stale_version": N_(
            "Somebody has changed this in the meantime. Your change was not saved; the row shows what holds now."
        ),
        "visit_closed": N_("The visit is closed already."),
        "nothing_to_confirm": N_("The visit was not closed before its window: there is nothing to confirm."),
        "after_event": N_("A withdrawal, a loss or a transfer is recorded before this day."),
        "closed_by_event": N_("An event closed this visit. Take the event back if it is an error."),
        "not_found": N_("There is nothing here that you may see."),
        "forbidden": N_("Your role may not do this."),
        "not_your_centre": N_("This centre is not one of yours."),
        "not_responsible": N_("Another centre is responsible for this patient; only it changes this."),
        "too_slow": N_("What was sent came too slowly. Try again."),
        "unavailable": N_("The service cannot store just now. Nothing was saved; try again."),
        "too_few_attempts": N_(
            "Three attempts through two channels without an answer are needed first, later than the patient was last "
            "heard of."
        ),
        "death_before_done": N_(
            "A visit, an infusion or a discharge is recorded after this day. Compare the day of death, or correct that "
            "first."
        ),
        "already_so": N_("This is recorded already."),
        "nothing_to_take_back": N_("There is nothing to take up again or to take back."),
        "not_of_this_type": N_("This belongs to another kind of event: leave it empty."),
        "bad_format": N_("The number cannot be read: write twelve digits, for example 19811228-9874."),
        "bad_check_digit": N_("The number's check digit is wrong; compare it with the referral."),
        "same_day": N_("There is an infusion of this class on that day already."),
        "needs_continues": N_(
            "There is another infusion within 30 days: say whether this one continues its course or begins a new one."
        ),
        "before_birth": N_("The infusion lies before the birth date."),
        "unknown_centre": N_("There is no such centre."),
        "unknown_product": N_("There is no such product."),
        "unknown_infusion": N_("This is no infusion of this patient and class."),
        "centre_upcoming": N_("This centre gives no infusions yet."),
        "identifiers_disagree": N_("The numbers belong to different patients."),
        "identity_unclear": N_(
            "Name and birth date do not agree with the person who has this number. Compare them with the referral."
        ),
        "known_elsewhere": N_(
            "What another centre has recorded of this person does not allow this. Say that a new course begins, or "
            "speak to them."
        ),
        "source_conflict": N_(
            "This form was saved already, and now tells something else. To correct the infusion, open the patient."
        ),
        "literal_error": N_("This is not one of the values allowed here."),
        "enum": N_("This is not one of the values allowed here."),
        "uuid_parsing": N_("This is not one of the values allowed here."),
        "string_too_long": N_("The text is longer than allowed."),
        "string_pattern_mismatch": N_("The text has characters that are not allowed here."),
        "alert_resolved": N_(
            "The alert is resolved already: the visit was closed or moved, or the patient belongs to another centre "
            "now."
        ),
        "rate_limited": N_("Too many attempts. Wait a minute and try again."),
        "unauthenticated": N_("User name or password is wrong."),
    },
}


PICTURE: Mapping[str, str] = {
    "title": N_("Fifteen years in one picture"),
    "description": N_(
        "A line for each infusion; a bar for each visit's window; the table below holds the same days and states."
    ),
    "today": N_("today w."),
}


def word(kind: str, code: str) -> str:
    """The English word for a code; a code without one is shown as it is."""
    return WORDS[kind].get(code, code)
