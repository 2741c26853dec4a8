"""The forms of pages, read as browsers send them.

Not by Starlette: its parser takes a body of ampersands, and a Content-Type of semicolons, in a time that grows with the
square of their length.
"""

from urllib.parse import parse_qsl

from starlette.requests import Request

from app.errors import TooLarge
from app.http.call import header
from app.http.problems import UnsupportedMediaType

MEDIA = "application/x-www-form-urlencoded"
FIELDS = 100  # of one form


async def read(request: Request, most_bytes: int | None = None) -> list[tuple[str, str]]:
    """The fields in their order, empty ones too; a request without a body has none. Raises UnsupportedMediaType,
    TooLarge."""
    media = (header(request.scope, b"content-type") or "").partition(";")[0].strip().lower()
    if media != MEDIA:
        if media == "":
            return []
        raise UnsupportedMediaType(f"Send {MEDIA}.")
    body = bytearray()
    async for part in request.stream():
        body += part
        if most_bytes is not None and len(body) > most_bytes:
            raise TooLarge(f"A form may have {most_bytes:,} bytes here.")
    try:
        return parse_qsl(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=FIELDS)
    except ValueError:
        raise TooLarge(f"A form may have {FIELDS} fields.") from None
