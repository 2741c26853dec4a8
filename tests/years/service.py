"""The real service behind its JSON API (contract.md 2 and 3), with the operations and the look of tests/model.py."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import date, timedelta
from typing import Any

import httpx

from tests.model import Answer
from tests.years.choices import START
from tests.years.facts import ONLY, Key, plan_kind
from tests.years.schedule import PROTOCOLS

API = "/api/v1"
READER = "demo-integration-all"
REPEATED = (
    "record",
    "correct",
    "correct_birth_date",
    "void",
    "book",
    "complete",
    "miss",
    "cancel",
    "report",
    "acknowledge",
    "contact",
)
WORDS = ("infusion-refused", "deceased-reported", "plan-ended", "no-plan", "no-contact")
MOVES = ("correct", "correct_birth_date")
Told = tuple[str, str, str, str, str, str | None]


def number(born: date, nth: int) -> str:
    """A personnummer with a serial of 980-999, which Skatteverket gives to nobody."""
    digits = f"{born:%y%m%d}{980 + nth % 20}"
    doubled = [int(d) * (2 - n % 2) for n, d in enumerate(digits)]
    return f"{born:%Y%m%d}-{digits[6:]}{-sum(d - 9 * (d > 9) for d in doubled) % 10}"


def plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


class Service:
    """`move_to_day` sets the service's day, `sweep` runs its sweep and `recall` takes back alerts ahead of their day;
    they are the fixture's, as is the URL of the database. What the model calls by refs the service calls by ids."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        move_to_day: Callable[[date], Coroutine[Any, Any, None]],
        sweep: Callable[[], Coroutine[Any, Any, object]],
        recall: Callable[[], Coroutine[Any, Any, object]],
        url: str,
    ) -> None:
        self.client, self.move_to_day, self.run_sweep, self.run_recall, self.url = (
            client,
            move_to_day,
            sweep,
            recall,
            url,
        )
        self.today = START
        self.people: dict[str, str] = {}
        self.numbers: dict[str, str] = {}
        self.infusions: dict[str, str] = {}
        self.sent: dict[str, tuple[str, dict[str, Any]]] = {}
        self.contacts: dict[str, tuple[str, str]] = {}
        self.alerts: dict[tuple[str, Key], str] = {}
        self.seen: dict[str, dict[str, Any]] = {}
        self.last: Callable[[], Awaitable[httpx.Response]] | None = None
        self._events = 0

    # -- looking

    async def move(self, day: date) -> None:
        self.today = day
        await self.move_to_day(day)
        self.seen.clear()
        self.last = None

    async def sweep(self) -> None:
        await self.run_sweep()
        self.seen.clear()

    async def recall(self) -> None:
        await self.run_recall()
        self.seen.clear()

    async def get(self, path: str, **query: Any) -> Any:
        answer = await self.client.get(API + path, params=query, headers={"Authorization": f"Bearer {READER}"})
        assert answer.status_code == 200, f"GET {path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def follow_up(self, person: str) -> dict[str, Any]:
        if person not in self.seen:
            found = self.seen[person] = await self.get(f"/patients/{self.people[person]}/follow-up")
            refs = {visit["id"]: self.key(visit) for visit in found["visits"]}
            self.alerts |= {(person, refs[alert["visit_id"]]): alert["id"] for alert in found["alerts"]}
        return self.seen[person]

    def key(self, visit: Mapping[str, Any]) -> Key:
        refs = {value: ref for ref, value in self.infusions.items()}
        is_only = PROTOCOLS[visit["protocol"]["code"]].restart == "never"
        return (plan_kind(visit["protocol"]["code"]), ONLY if is_only else refs[visit["infusion_id"]], visit["code"])

    async def look(self, person: str) -> dict[str, Any]:
        found = await self.follow_up(person)
        keys = {visit["id"]: "/".join(self.key(visit)) for visit in found["visits"]}
        assert len(set(keys.values())) == len(keys), "two visits of one plan with one code"
        refs = {value: ref for ref, value in self.infusions.items()}
        return {
            "status": found["status"],
            "responsible_centre": found["responsible_centre"],
            "visits": {
                keys[v["id"]]: v | {"reason": v["cancel_reason"] or v["missed_reason"]} for v in found["visits"]
            },
            "alerts": {keys[alert["visit_id"]]: alert["state"] for alert in found["alerts"]},
            "follow_up_until": found["follow_up_until"],
            "next_visit": keys[found["next_visit"]["id"]] if found["next_visit"] else None,
            "infusions": {
                refs[i["id"]]: [i["infusion_number"], i["course_number"], i["reinfusion"]]
                for i in found["infusions"]
                if not i["voided"]
            },
        }

    async def asked(self) -> dict[str, dict[str, Any]]:
        """Who is listed as in need of a decision, under which words; the longest silence first."""
        names = {value: person for person, value in self.people.items()}
        found: dict[str, dict[str, Any]] = defaultdict(dict)
        rows = (await self.get("/patients", needs_decision=",".join(WORDS), limit=500))["items"]
        heard = [row["last_heard_on"] for row in rows]
        assert heard == sorted(heard), "not the longest silence first"
        assert len({row["id"] for row in rows}) == len(rows), "somebody is listed twice"
        for row in rows:
            found[names[row["id"]]] |= {"word": row["needs_decision"], "last_heard_on": row["last_heard_on"]}
        for visit in (await self.get("/visits", needs_decision="decided-before-window", limit=500))["items"]:
            found[names[visit["patient_id"]]].setdefault("decided-before-window", {})["/".join(self.key(visit))] = True
        return found

    async def seen_by(self, person: str, centre: str) -> list[str] | None:
        """The infusions that a centre sees of a patient, with plans and visits of no other; None when it is told of
        nobody."""
        headers = {"Authorization": f"Bearer demo-coordinator-{centre}"}
        answer = await self.client.get(f"{API}/patients/{self.people[person]}/follow-up", headers=headers)
        if answer.status_code == 404:
            return None
        refs, found = {value: ref for ref, value in self.infusions.items()}, answer.json()
        ids = {infusion["id"] for infusion in found["infusions"]}
        assert {visit["infusion_id"] for visit in found["visits"]} <= ids, "a visit of an infusion that is not shown"
        return sorted(refs[infusion["id"]] for infusion in found["infusions"] if not infusion["voided"]) or None

    async def told(self) -> list[Told]:
        """The whole feed, checked on the way: numbered 1..n, and giving exactly the unresolved alerts when replayed."""
        items: list[dict[str, Any]] = []
        page: dict[str, Any] = {"next_cursor": "0", "has_more": True}
        while page["has_more"]:
            page = await self.get("/alerts/events", after=page["next_cursor"], limit=100)
            items += page["items"]
        assert [event["seq"] for event in items] == list(range(1, len(items) + 1)), "a gap in the feed's numbers"
        assert len({event["id"] for event in items}) == len(items), "an event twice"
        left: dict[str, tuple[str, str, str]] = {}
        for event in items:
            data = event["data"]
            left[data["alert_id"]] = (data["visit_id"], data["centre"], data["state"])
        unresolved = sorted(value for value in left.values() if value[2] != "resolved")
        shown = [(a["visit_id"], a["centre"], a["state"]) for a in await self.snapshot()]
        assert unresolved == sorted(shown), "replaying the feed does not give the unresolved alerts"
        names = {value: person for person, value in self.people.items()}
        keys: dict[str, str] = {}
        for person in self.people:
            keys |= {visit["id"]: "/".join(self.key(visit)) for visit in (await self.follow_up(person))["visits"]}
        return [
            (names[d["patient_id"]], keys[d["visit_id"]], event["type"], d["centre"], d["state"], d.get("resolved_by"))
            for event in items
            for d in [event["data"]]
        ]

    async def snapshot(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        query: dict[str, Any] = {"state": "open,acknowledged", "limit": 200}
        while True:
            page = await self.get("/alerts", **query)
            items += page["items"]
            if not page["has_more"]:
                return items
            query["cursor"] = page["next_cursor"]

    # -- acting

    async def act(self, name: str, given: Mapping[str, Any]) -> Answer:
        """Does one operation of the model as the coordinator of the centre that may."""
        call: Callable[..., Awaitable[httpx.Response]] = getattr(self, f"_{name}")
        answer = await call(**given)
        if answer.status_code in (200, 201, 204):
            self.seen.pop(given["person"], None)
            # Whoever transferred may see the patient no longer.
            if name not in REPEATED or given.get("kind") == "transferred":
                self.last = None
            return ("ok", await self._outside(given["person"], answer)) if name in MOVES else ("ok",)
        body = answer.json()
        is_refusal = answer.status_code in (409, 422) or (answer.status_code == 403 and given.get("by") == "nurse")
        assert is_refusal, f"{name} {given}: {answer.status_code} {answer.text}"
        assert answer.headers["content-type"].startswith("application/problem+json")
        return ("refused", body.get("code"), *(error["code"] for error in body.get("errors", [])))

    async def _outside(self, person: str, answer: httpx.Response) -> list[str]:
        """The done visits of which an answer tells that they lie outside their window now."""
        told = answer.json()
        assert bool(told["done_outside_window"]) == ("done_outside_window" in told["warnings"])
        visits = (
            {visit["id"]: visit for visit in (await self.follow_up(person))["visits"]}
            if told["done_outside_window"]
            else {}
        )
        return sorted("/".join(self.key(visits[visit["visit_id"]])) for visit in told["done_outside_window"])

    async def again(self) -> None:
        """The last accepted request once more, version and all, as after a lost answer: 200, and nothing changes."""
        if self.last:
            answer = await self.last()
            assert answer.status_code == 200, f"a repeated request: {answer.status_code} {answer.text}"
            self.seen.clear()

    async def _send(
        self, verb: str, path: str, centre: str, body: object, version: int | None = None, role: str = "coordinator"
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer demo-{role}-{centre}"} | (
            {} if version is None else {"If-Match": f'"{version}"'}
        )

        async def send() -> httpx.Response:
            return await self.client.request(verb, API + path, json=body, headers=headers)

        answer = await send()
        if answer.status_code in (200, 201, 204):
            self.last = send
        return answer

    async def _to_visit(
        self, act: str, person: str, key: Key, body: object, is_versioned: bool = True
    ) -> httpx.Response:
        found = await self.follow_up(person)
        visit = next(v for v in found["visits"] if self.key(v) == key)
        centre = found["responsible_centre"]
        return await self._send(
            "POST", f"/visits/{visit['id']}/{act}", centre, body, visit["version"] if is_versioned else None
        )

    async def _to_infusion(self, verb: str, act: str, person: str, ref: str, body: object) -> httpx.Response:
        found = await self.follow_up(person)
        infusion = next(i for i in found["infusions"] if i["id"] == self.infusions[ref])
        return await self._send(
            verb, f"/infusions/{infusion['id']}{act}", found["responsible_centre"], body, infusion["version"]
        )

    async def _record(
        self,
        person: str,
        ref: str,
        *,
        birth_date: date,
        centre: str,
        product: str,
        infused_on: date,
        care: str | None,
        **more: Any,
    ) -> httpx.Response:
        if person not in self.numbers:
            self.numbers[person] = number(birth_date, len(self.numbers))
        patient: dict[str, Any] = {
            "identifiers": [{"system": "personnummer", "value": self.numbers[person]}],
            "name": f"Test {person.title()}",
            "birth_date": birth_date.isoformat(),
        }
        if (
            person in self.people
            and (await self.follow_up(person))["responsible_centre"] == centre
            and len(self.infusions) % 2
        ):
            patient = {"patient_id": self.people[person]}
        body: dict[str, Any] = patient if "patient_id" in patient else {"patient": patient}
        body |= {
            "centre": centre,
            "product": product,
            "context": "SOC",
            "infused_on": infused_on.isoformat(),
            "source": {"system": "lives", "id": more.get("source") or ref},
        }
        if more.get("discharged_on"):
            body["discharged_on"] = plain(more["discharged_on"])
        if more.get("continues"):
            body["continues"] = self.infusions[more["continues"]]
        if more.get("new_course"):
            body["new_course"] = True
        if more.get("protocols"):
            body["protocols"] = list(more["protocols"])
        if more.get("completed"):
            body["completed"] = [
                {"protocol": care, "code": code, "completed_on": plain(on)} for code, on in more["completed"]
            ]
        answer = await self._send("POST", "/infusions", centre, body)
        if answer.is_success:
            assert answer.status_code == 201, "an infusion that is not known was known"
            stored = answer.json()
            self.infusions[ref], self.sent[ref] = stored["id"], (centre, body)
            assert self.people.setdefault(person, stored["patient_id"]) == stored["patient_id"], (
                "one person, two records"
            )
        return answer

    async def _resend(
        self, person: str, ref: str, tells: str | None = None, by: str = "number", changed: bool = False
    ) -> httpx.Response:
        centre, body = self.sent[ref]
        if tells:
            told = {"value": self.numbers.get(tells) or number(date(1971, 7, 3), 99), "system": "personnummer"}
            patient = {"patient": {"identifiers": [told], "name": "Test Annan", "birth_date": "1971-07-03"}}
            named = {
                "number": patient,
                "id": {"patient_id": self.people.get(tells)},
                "both": patient | {"patient_id": self.people[person]},
            }[by]
            body = {name: value for name, value in body.items() if name not in ("patient", "patient_id")} | named
        answer = await self._send("POST", "/infusions", centre, body | ({"context": "CUP"} if changed else {}))
        assert answer.status_code != 201, "a stored infusion was stored twice"
        return answer

    async def _correct(self, person: str, ref: str, **days: date | None) -> httpx.Response:
        return await self._to_infusion("PATCH", "", person, ref, {name: plain(day) for name, day in days.items()})

    async def _void(self, person: str, ref: str) -> httpx.Response:
        before = (await self.follow_up(person))["responsible_centre"]
        answer = await self._to_infusion("POST", "/void", person, ref, {"reason": "entered in error"})
        self.seen.pop(person, None)
        if (await self.follow_up(person))["responsible_centre"] != before:
            self.last = None  # a voided infusion opens nothing to its centre any more (rule 11)
        return answer

    async def _correct_birth_date(self, person: str, birth_date: date) -> httpx.Response:
        found = await self.follow_up(person)
        path, version = f"/patients/{self.people[person]}", found["patient"]["version"]
        return await self._send("PATCH", path, found["responsible_centre"], {"birth_date": plain(birth_date)}, version)

    async def _book(self, person: str, key: Key, on: date | None) -> httpx.Response:
        return await self._to_visit("book", person, key, {"booked_on": plain(on)})

    async def _complete(
        self, person: str, key: Key, on: date, confirm: tuple[str, ...] = (), performed_by: str | None = None
    ) -> httpx.Response:
        body = {"completed_on": plain(on), "confirm": list(confirm), "performed_by": performed_by}
        return await self._to_visit("complete", person, key, body)

    async def _confirm(self, person: str, key: Key) -> httpx.Response:
        return await self._to_visit("confirm", person, key, {"codes": ["window_not_open"]})

    async def _miss(self, person: str, key: Key, reason: str) -> httpx.Response:
        return await self._to_visit("miss", person, key, {"reason": reason})

    async def _cancel(self, person: str, key: Key) -> httpx.Response:
        return await self._to_visit("cancel", person, key, {"reason": "not-required"})

    async def _reopen(self, person: str, key: Key) -> httpx.Response:
        return await self._to_visit("reopen", person, key, {"reason": "taken back"})

    async def _contact(
        self, person: str, key: Key | None, ref: str, channel: str | None, outcome: str | None, on: date
    ) -> httpx.Response:
        body: dict[str, Any] = {"channel": channel, "outcome": outcome, "contacted_on": plain(on)}
        if outcome is None:
            body = {"contacted_on": plain(on), "remind_on": plain(max(on + timedelta(days=7), self.today))}
        centre = (await self.follow_up(person))["responsible_centre"]
        if key:
            answer = await self._to_visit("contacts", person, key, body, is_versioned=False)
        else:
            answer = await self._send("POST", f"/patients/{self.people[person]}/contacts", centre, body)
        if answer.is_success:
            self.contacts[ref] = (answer.json()["id"], centre)
        return answer

    async def _take_back_contact(self, person: str, ref: str) -> httpx.Response:
        told, centre = self.contacts[ref]
        return await self._send("DELETE", f"/contacts/{told}", centre, None)

    async def _report(
        self,
        person: str,
        kind: str,
        on: date,
        centre: str | None = None,
        entered_in_error: bool | None = None,
        by: str = "coordinator",
    ) -> httpx.Response:
        self._events += 1
        body: dict[str, Any] = {
            "type": kind,
            "on": plain(on),
            "source": {"system": "lives", "id": f"event-{self._events}"},
        }
        if kind == "transferred":
            body["centre"] = centre
        if kind == "reinstated":
            body["entered_in_error"] = bool(entered_in_error)
        if kind == "followed-elsewhere":
            body["where"] = "Norge"
        path = f"/patients/{self.people[person]}/events"
        return await self._send("POST", path, (await self.follow_up(person))["responsible_centre"], body, role=by)

    async def _decide(self, person: str, word: str) -> httpx.Response:
        path, centre = f"/patients/{self.people[person]}/decide", (await self.follow_up(person))["responsible_centre"]
        return await self._send("POST", path, centre, {"decision": word, "reason": "agreed with the patient"})

    async def _acknowledge(self, person: str, key: Key) -> httpx.Response:
        found = await self.follow_up(person)
        path = f"/alerts/{self.alerts[person, key]}/acknowledge"
        return await self._send("POST", path, found["responsible_centre"], {"reason": "the family was told"})
