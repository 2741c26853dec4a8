"""The version that a caller must have read before changing an object (contract 1)."""

from app.errors import StaleVersion, VersionRequired


def must_match(read: int | None, current: int) -> None:
    """Raises VersionRequired when the caller gave none, StaleVersion (with the current one) when it is another."""
    if read is None:
        raise VersionRequired(current_version=current)
    if read != current:
        raise StaleVersion(current_version=current)
