"""What of a row has changed, as the history keeps it: fields by name, before and after."""

from dataclasses import fields
from typing import Any

_UNSEEN = {"version", "alert_after", "decided_at", "standing"}  # what a history need not repeat


def shown(row: Any) -> dict[str, Any]:
    """The fields of a frozen row that the history keeps."""
    return {f.name: getattr(row, f.name) for f in fields(row) if f.name not in _UNSEEN}


def difference(before: Any, after: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields in which two rows of a kind differ: as they were, and as they are."""
    was, now = shown(before), shown(after)
    differs = [name for name in now if was[name] != now[name]]
    return {name: was[name] for name in differs}, {name: now[name] for name in differs}
