import os
import stat
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import bindparam, insert, literal, select

from app.actor import Actor
from app.clock import Clock
from app.db import tables
from app.db.columns import BadKeyFile, Instant, Keys, Unreadable, new_id
from app.db.engine import Database
from app.db.transaction import begin
from tests.db.conftest import KEYS
from tests.db.rows import PERSON, a_patient

ABOUT = "patient:0198c0de"


def test_what_is_sealed_opens_again_and_never_looks_the_same_twice() -> None:
    blobs = {KEYS.seal(PERSON, ABOUT) for _ in range(20)}
    assert len(blobs) == 20
    assert all(KEYS.open(blob, ABOUT) == PERSON for blob in blobs)
    assert not any(b"Testsson" in blob or b"9874" in blob for blob in blobs)


def test_a_sealed_person_moved_to_another_row_does_not_open() -> None:
    with pytest.raises(Unreadable):
        KEYS.open(KEYS.seal(PERSON, ABOUT), "patient:0198c0df")


def test_no_changed_byte_goes_unseen() -> None:
    blob = KEYS.seal(PERSON, ABOUT)
    for place in range(len(blob)):
        changed = bytearray(blob)
        changed[place] ^= 1
        with pytest.raises(Unreadable):
            KEYS.open(bytes(changed), ABOUT)


@pytest.mark.parametrize("blob", [b"", b"\x02", b"\x02k1", b"\x02k1short", b"\xff" * 40])
def test_what_is_no_sealed_blob_is_refused(blob: bytes) -> None:
    with pytest.raises(Unreadable):
        KEYS.open(blob, ABOUT)


def test_an_old_key_still_opens_and_the_current_one_seals() -> None:
    old, new = os.urandom(32), os.urandom(32)
    before = Keys({"k1": old}, "k1", bytes(32))
    after = Keys({"k1": old, "k2": new}, "k2", bytes(32))
    assert after.open(before.seal(PERSON, ABOUT), ABOUT) == PERSON
    assert Keys.key_id(after.seal(PERSON, ABOUT)) == "k2"
    with pytest.raises(Unreadable):
        before.open(after.seal(PERSON, ABOUT), ABOUT)


def test_the_blind_index_of_a_number_depends_on_number_system_and_key() -> None:
    mine = KEYS.blind("personnummer", "198112289874")
    others = {
        KEYS.blind("samordningsnummer", "198112289874"),
        KEYS.blind("personnummer", "198112289875"),
        KEYS.blind("personnummer1", "98112289874"),
        Keys.fresh().blind("personnummer", "198112289874"),
    }
    assert mine == KEYS.blind("personnummer", "198112289874")
    assert len(mine) == 32
    assert mine not in others
    assert len(others) == 4


def test_keys_never_show_themselves() -> None:
    assert repr(KEYS) == "Keys(current='k1')"
    assert not hasattr(KEYS, "__dict__")


# ---- The key file ----


def test_a_key_file_is_made_for_its_owner_only_and_read_again(tmp_path: Path) -> None:
    made = Keys.make(tmp_path / "keys")
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o600
    read = Keys.read(tmp_path / "keys")
    assert read.open(made.seal(PERSON, ABOUT), ABOUT) == PERSON
    assert read.blind("personnummer", "1") == made.blind("personnummer", "1")


def test_an_existing_key_file_is_never_overwritten(tmp_path: Path) -> None:
    Keys.make(tmp_path / "keys")
    was = (tmp_path / "keys").read_bytes()
    with pytest.raises(BadKeyFile):
        Keys.make(tmp_path / "keys")
    assert (tmp_path / "keys").read_bytes() == was


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_file_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    Keys.make(tmp_path / "keys")
    (tmp_path / "keys").chmod(mode)
    with pytest.raises(BadKeyFile, match="bad_key_file") as refused:
        Keys.read(tmp_path / "keys")
    assert "chmod 600" in refused.value.detail


KEY = "A" * 43 + "="
OTHER = "B" * 42 + "A="


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '"keys"',
        "{}",
        '{"sealing": [], "current": "k1", "blind": ""}',
        f'{{"sealing": {{"k1": "{KEY}"}}, "current": "k1"}}',
        f'{{"sealing": {{"k1": "{KEY}"}}, "current": "k2", "blind": "{OTHER}"}}',
        f'{{"sealing": {{"k1": "{KEY}"}}, "current": "k1", "blind": "{KEY}"}}',
        f'{{"sealing": {{"k1": "AAAA"}}, "current": "k1", "blind": "{OTHER}"}}',
        f'{{"sealing": {{"k1": "not base64"}}, "current": "k1", "blind": "{OTHER}"}}',
        f'{{"sealing": {{"": "{KEY}"}}, "current": "", "blind": "{OTHER}"}}',
    ],
)
def test_what_is_no_key_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(BadKeyFile):
        Keys.read(file)


def test_a_missing_key_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BadKeyFile) as refused:
        Keys.read(tmp_path / "none")
    assert "follow-up keys new" in refused.value.detail


# ---- Instants and ids ----

INSTANTS = [
    datetime(1969, 12, 31, 23, 59, 59, 999000, UTC),
    datetime(2026, 3, 29, 1, 0, 0, 0, UTC),
    datetime(2026, 11, 23, 12, 0, 0, 123456, UTC),
    datetime(2026, 11, 23, 13, 0, 0, 124999, timezone(timedelta(hours=1))),
    datetime(2041, 1, 1, 0, 0, 0, 1000, UTC),
]


async def test_an_instant_comes_back_in_utc_cut_to_milliseconds(
    database: Database, operator: Actor, clock: Clock
) -> None:
    async with begin(database, operator, clock, writing=False) as tx:
        found = [await tx.scalar(select(bindparam("it", instant, Instant()))) for instant in INSTANTS]
    expected = [i.astimezone(UTC).replace(microsecond=i.microsecond // 1000 * 1000) for i in INSTANTS]
    assert found == expected
    assert all(instant.tzinfo is UTC for instant in found)


async def test_instants_are_ordered_by_the_database_as_by_python(
    database: Database, operator: Actor, clock: Clock
) -> None:
    async with begin(database, operator, clock) as tx:
        await tx.run(
            insert(tables.protocols),
            [{"code": f"p{n}", "version": 1, "body": "", "loaded_at": at} for n, at in enumerate(INSTANTS)],
        )
    of_ours = tables.protocols.c.code.in_([f"p{n}" for n in range(len(INSTANTS))])
    async with begin(database, operator, clock, writing=False) as tx:
        rows = await tx.all(
            select(tables.protocols.c.code).where(of_ours).order_by(tables.protocols.c.loaded_at.desc())
        )
        later = await tx.all(select(tables.protocols.c.code).where(of_ours, tables.protocols.c.loaded_at > INSTANTS[2]))
    assert [row.code for row in rows] == ["p4", "p3", "p2", "p1", "p0"]
    assert {row.code for row in later} == {"p3", "p4"}


async def test_an_instant_without_a_zone_is_refused(database: Database, operator: Actor, clock: Clock) -> None:
    naive = datetime(2026, 11, 23, 12)  # noqa: DTZ001 - what is tested
    with pytest.raises(Exception, match="an instant has a zone"):
        async with begin(database, operator, clock, writing=False) as tx:
            await tx.scalar(select(literal(naive, Instant())))


def test_ids_sort_by_creation() -> None:
    made: Sequence[object] = [new_id() for _ in range(2000)]
    assert made == sorted(made, key=str)
    assert {str(one)[14] for one in made} == {"7"}


async def test_no_name_and_no_number_stands_in_clear_in_the_file(
    sqlite_url: str, operator: Actor, clock: Clock
) -> None:
    opened = Database(sqlite_url, KEYS)
    async with begin(opened, operator, clock) as tx:
        patient = await a_patient(tx, "lund", number="198112289874")
        tx.changed("patient", patient, "registered", None, PERSON, patient)
    await opened.close()
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    clear = b"".join(part.read_bytes() for part in file.parent.glob(f"{file.name}*"))
    assert patient.hex.encode() in clear
    for word in (b"Testsson", b"9874", b"701740605", b"1981-12-28"):
        assert word not in clear
