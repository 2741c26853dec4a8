"""Centres, products and protocols: what may be named in an infusion, and what is shown of it."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from app.actor import Act
from app.db import catalogue as db_catalogue
from app.db import seed
from app.db.transaction import Transaction
from app.errors import FieldError, NotFound
from app.planning.protocol import Protocol, Purpose, Restart, VisitRule

JSON = dict[str, Any]


async def protocols(tx: Transaction) -> Mapping[str, Protocol]:
    """The newest version of each protocol under its code, and every version under `code@version`."""
    return await db_catalogue.protocols(tx)


async def versions(tx: Transaction, wanted: Set[str]) -> Mapping[str, Protocol]:
    """At least these versions of protocols, under `code@version`. A version never changes, so what was read once is not
    read again."""
    return tx.db.versions if wanted <= tx.db.versions.keys() else await db_catalogue.protocols(tx)


async def all_centres(tx: Transaction) -> Sequence[JSON]:
    """The centres by code."""
    return await db_catalogue.centres(tx)


async def centre_of(tx: Transaction, code: str) -> JSON | None:
    """The centre with this code."""
    return await db_catalogue.centre(tx, code)


async def product_of(tx: Transaction, code: str) -> JSON | None:
    """The product with this code."""
    return await db_catalogue.product(tx, code)


async def faults(tx: Transaction, centre: str, product: str, named: Sequence[str] | None) -> list[FieldError]:
    """What is wrong with the codes of an infusion: unknown ones, a centre that gives none yet, a protocol that does not
    serve the product's class, two care plans at once."""
    found = []
    known_centre = await centre_of(tx, centre)
    if known_centre is None:
        found.append(FieldError("centre", "unknown_centre", "There is no such centre; GET /api/v1/centres lists them."))
    elif known_centre["status"] != "active":
        found.append(FieldError("centre", "centre_upcoming", "This centre gives no infusions yet."))
    known_product = await product_of(tx, product)
    if known_product is None:
        found.append(
            FieldError("product", "unknown_product", "There is no such product; GET /api/v1/products lists them.")
        )
    known = await protocols(tx) if named else {}
    for n, code in enumerate(named or ()):
        if code not in known:
            found.append(
                FieldError(
                    f"protocols.{n}", "unknown_protocol", "There is no such protocol; GET /api/v1/protocols lists them."
                )
            )
        elif known_product is not None and not known[code].serves(known_product["class"]):
            served = ", ".join(known[code].classes)
            why = f"{code} serves the classes {served}; this product is of the class {known_product['class']}."
            found.append(FieldError(f"protocols.{n}", "other_class", why))
    care = [
        c
        for c in named or ()
        if c in known and known[c].purpose is Purpose.CARE and known[c].restart is not Restart.NEVER
    ]
    if len(care) > 1 or len(set(named or ())) < len(named or ()):
        found.append(
            FieldError(
                "protocols",
                "two_care_plans",
                "An infusion begins one care plan of its class; name one such, and each code once.",
            )
        )
    return found


async def centres(tx: Transaction) -> JSON:
    """Every centre; codes are public to every caller."""
    tx.actor.must(Act.READ_CATALOGUE)
    return {"items": await db_catalogue.centres(tx)}


async def products(tx: Transaction) -> JSON:
    """Every product with its class and its protocol."""
    tx.actor.must(Act.READ_CATALOGUE)
    return {"items": await db_catalogue.products(tx)}


async def newest_protocols(tx: Transaction) -> JSON:
    """The newest version of every protocol."""
    tx.actor.must(Act.READ_CATALOGUE)
    known = await protocols(tx)
    return {"items": [_protocol(p) for code, p in sorted(known.items()) if "@" not in code]}


async def protocol_version(tx: Transaction, code: str, version: int) -> JSON:
    """One protocol version; it never changes. Raises NotFound."""
    tx.actor.must(Act.READ_CATALOGUE)
    found = (await protocols(tx)).get(f"{code}@{version}")
    if found is None:
        raise NotFound("There is no such protocol version.")
    return _protocol(found)


async def load(tx: Transaction, text: str) -> JSON:
    """Adds those centres or products of a file that are missing; what stands is not changed. Answers which of the two,
    the file's rows, and how many are new. Raises CatalogueInvalid with every fault, also for a product whose protocol
    is not known here or serves another class; Forbidden."""
    tx.actor.must(Act.CHANGE_CATALOGUE)
    kind = seed.kind(text)
    rows = seed.centre_rows(text) if kind == "centres" else seed.product_rows(text)
    known = await protocols(tx)
    unknown = [row for row in rows if row.get("protocol") is not None and row["protocol"] not in known]
    wrong = [
        FieldError("protocol", "unknown_protocol", f"{row['code']}: there is no protocol {row['protocol']}")
        for row in unknown
    ]
    wrong += [
        FieldError(
            "protocol", "other_class", f"{row['code']}: {row['protocol']} does not serve the class {row['plan_class']}"
        )
        for row in rows
        if (protocol := known.get(row.get("protocol") or "")) is not None and not protocol.serves(row["plan_class"])
    ]
    if wrong:
        raise seed.CatalogueInvalid("; ".join(fault.message for fault in wrong), errors=wrong)
    stands = await (db_catalogue.centres(tx) if kind == "centres" else db_catalogue.products(tx))
    codes = {row["code"] for row in stands}
    new = [row for row in rows if row["code"] not in codes]
    await db_catalogue.add(tx, new, kind)
    for row in new:
        tx.changed(kind.removesuffix("s"), row["code"], "loaded", None, row)
    return {"kind": kind, "rows": len(rows), "added": len(new)}


def _protocol(protocol: Protocol) -> JSON:
    return {
        "code": protocol.code,
        "version": protocol.version,
        "title": protocol.title,
        "purpose": protocol.purpose.value,
        "restart": protocol.restart.value,
        "needs_consent": protocol.needs_consent,
        "classes": list(protocol.classes),
        "applies_if": protocol.applies_if,
        "source": protocol.source,
        "verified": protocol.verified,
        "endless": protocol.endless,
        "rules": [_rule(rule) for rule in protocol.rules],
    }


def _rule(rule: VisitRule) -> JSON:
    offset = {unit: n for unit in ("days", "weeks", "months", "years") if (n := getattr(rule.offset, unit)) is not None}
    return {
        "code": rule.code,
        "label": dict(rule.label),
        "anchor": rule.anchor.value,
        "offset": offset,
        "before": rule.before,
        "after": rule.after,
        "mode": list(rule.modes),
        "assessments": list(rule.assessments),
        "report_due": rule.report_due,
    }
