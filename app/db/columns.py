"""What a column can be beyond SQL's own: instants in UTC, sealed persons, the blind index of a number, ids that sort by
creation."""

import base64
import binascii
import hmac
import os
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import DateTime, String
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine
from uuid_utils.compat import uuid7

from app.errors import Unavailable

_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32


class BadKeyFile(Unavailable):
    """The key file cannot be used."""

    code = "bad_key_file"


class Unreadable(Unavailable):
    """Sealed data cannot be opened with the keys at hand."""

    code = "unreadable"


def new_id() -> UUID:
    """A UUID of version 7: ids sort by creation and can be merged between systems."""
    made: UUID = uuid7()
    return made


def first_id(since: datetime) -> UUID:
    """The least id that could have been made at an instant (UTC): rows with greater ids are younger."""
    return UUID(int=(int(since.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62))


def whole_ms(instant: datetime) -> datetime:
    """The instant in UTC, cut to whole milliseconds, as it is stored. Raises ValueError for an instant without a
    zone."""
    if instant.tzinfo is None:
        raise ValueError("an instant has a zone")
    return instant.astimezone(UTC).replace(microsecond=instant.microsecond // 1000 * 1000)


class Instant(TypeDecorator[datetime]):
    """An instant, in and out as an aware datetime in UTC, cut to milliseconds (the feed's stamps go in steps of 1 ms).

    PostgreSQL: timestamptz. SQLite: text `2026-11-23T08:00:00.000Z`, which sorts as it should and can be read without
    us.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text on SQLite, the database's own type elsewhere."""
        return String(24) if dialect.name == "sqlite" else DateTime(timezone=True)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Raises ValueError for an instant without a zone."""
        if value is None:
            return None
        instant = whole_ms(value)
        return f"{instant.isoformat(timespec='milliseconds')[:-6]}Z" if dialect.name == "sqlite" else instant

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Aware, in UTC."""
        if value is None:
            return None
        instant: datetime = datetime.fromisoformat(value) if isinstance(value, str) else value
        return instant.astimezone(UTC)


class Keys:
    """Seals persons (AES-256-GCM) and indexes their numbers blindly (HMAC-SHA256 under a key of its own).

    A sealed blob is: length of the key's id, the id, the nonce, the ciphertext. What the data is about (`patient:<id>`)
    and the key's id are authenticated with it, so a blob copied to another row does not open.
    """

    __slots__ = ("_blind", "_ciphers", "_sealing", "current")

    def __init__(self, sealing: Mapping[str, bytes], current: str, blind: bytes) -> None:
        """`sealing`: 256-bit keys by id, old ones for opening; `current`: the id that seals. Raises BadKeyFile when
        they do not fit."""
        if current not in sealing or any(len(key) != _KEY_BYTES for key in (*sealing.values(), blind)):
            raise BadKeyFile("Each key has 256 bits, and the current one is among the sealing keys.")
        if any(not (name.isascii() and 0 < len(name) < 256) for name in sealing) or blind in sealing.values():
            raise BadKeyFile("A key's id has 1 to 255 ASCII letters, and the blind index has a key of its own.")
        self.current = current
        self._sealing = dict(sealing)
        self._ciphers = {name: AESGCM(key) for name, key in sealing.items()}
        self._blind = blind

    def __repr__(self) -> str:
        return f"Keys(current={self.current!r})"

    def seal(self, data: object, about: str) -> bytes:
        """`data` as JSON, encrypted under the current key; `about` names the row it belongs to (`patient:<id>`)."""
        nonce, name = os.urandom(_NONCE_BYTES), self.current.encode("ascii")
        sealed = self._ciphers[self.current].encrypt(nonce, orjson.dumps(data), _associated(about, self.current))
        return bytes([len(name)]) + name + nonce + sealed

    def open(self, blob: bytes, about: str) -> Any:
        """What was sealed. Raises Unreadable when a byte, the row or the key is another one."""
        name = self.key_id(blob)
        start = 1 + len(name)
        try:
            plain = self._ciphers[name].decrypt(
                blob[start : start + _NONCE_BYTES], blob[start + _NONCE_BYTES :], _associated(about, name)
            )
        except (InvalidTag, KeyError, ValueError):
            raise Unreadable(
                "Sealed data does not open: it was sealed with the keys of another file, or changed."
            ) from None
        return orjson.loads(plain)

    @staticmethod
    def key_id(blob: bytes) -> str:
        """The id of the key that sealed the blob."""
        return blob[1 : 1 + blob[0]].decode("latin-1") if blob else ""

    def blind(self, system: str, value: str) -> bytes:
        """The search index of a number: 32 bytes that tell nothing without the key; `value` in its canonical form."""
        return hmac.digest(self._blind, f"{system}\0{value}".encode(), sha256)

    @classmethod
    def read(cls, path: Path) -> "Keys":
        """Reads a key file. Raises BadKeyFile when it is missing, readable by others than its owner, or not a key
        file."""
        try:
            with path.open("rb") as file:
                if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                    raise BadKeyFile(f"{path} can be read by others than its owner; chmod 600 it.")
                stored = orjson.loads(file.read())
            sealing = {str(name): base64.b64decode(key, validate=True) for name, key in stored["sealing"].items()}
            return cls(sealing, str(stored["current"]), base64.b64decode(stored["blind"], validate=True))
        except OSError as error:
            raise BadKeyFile(
                f"{path} cannot be read ({error.strerror}); `follow-up keys new FILE` makes one."
            ) from None
        except (orjson.JSONDecodeError, binascii.Error, AttributeError, KeyError, TypeError, ValueError):
            raise BadKeyFile(f"{path} is not a key file; `follow-up keys new FILE` makes one.") from None

    @classmethod
    def make(cls, path: Path) -> "Keys":
        """Writes a key file with two new keys, mode 0600. Raises BadKeyFile when the file exists: old keys are never
        overwritten."""
        keys = cls.fresh()
        content = {
            "current": keys.current,
            "sealing": {name: base64.b64encode(key).decode() for name, key in keys._sealing.items()},
            "blind": base64.b64encode(keys._blind).decode(),
        }
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise BadKeyFile(f"{path} cannot be made ({error.strerror}).") from None
        return keys

    @classmethod
    def fresh(cls) -> "Keys":
        """Two new random keys, in memory only."""
        return cls({"k1": os.urandom(_KEY_BYTES)}, "k1", os.urandom(_KEY_BYTES))


def _associated(about: str, key_id: str) -> bytes:
    return f"{about}:{key_id}".encode()
