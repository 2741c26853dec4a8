"""JSON read strictly (contract 1): UTF-8, no key twice, no NaN or Infinity, no lone surrogates, at most 1,000 keys."""

import json
from math import isfinite
from typing import Any, NoReturn

from app.errors import Malformed

MOST_KEYS = 1000


def loads(body: bytes) -> Any:
    """The document. Raises Malformed with what is wrong, without repeating it."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("The body is not UTF-8.", code="not_utf8") from None
    keys = 0

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal keys
        keys += len(found)
        if keys > MOST_KEYS:
            raise Malformed(f"The body has more than {MOST_KEYS} keys.", code="too_many_keys")
        made = dict(found)
        if len(made) != len(found):
            raise Malformed("An object of the body has the same key twice.", code="duplicate_key")
        return made

    try:
        document = json.loads(text, object_pairs_hook=pairs, parse_constant=_not_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        raise Malformed("The body is not JSON.", code="not_json") from None
    if "\\u" in text and _has_lone_surrogate(document):
        raise Malformed("A text of the body has half a character (a lone surrogate).", code="lone_surrogate")
    return document


def _not_finite(word: str) -> NoReturn:
    raise Malformed("NaN and Infinity are not JSON.", code="not_finite")


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        _not_finite(digits)
    return number


def _has_lone_surrogate(document: Any) -> bool:
    try:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
