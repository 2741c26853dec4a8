"""Forms become commands: fields as browsers send them in, the models of `followup` out."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from app.errors import FieldError, FollowUpError, Invalid
from app.http import forms

Model = TypeVar("Model", bound=BaseModel)


async def fields(request: Request) -> dict[str, str]:
    """The fields of a form with a single value each, without those left empty."""
    return {name: value.strip() for name, value in await forms.read(request) if value.strip()}


def command(model: type[Model], given: Mapping[str, object]) -> Model:
    """The command that the fields say. Raises Invalid with one error for each field that cannot be read."""
    try:
        return model.model_validate(given)
    except ValidationError as fault:
        errors = [
            FieldError(".".join(map(str, e["loc"])), _code(e["type"]), e["msg"])
            for e in fault.errors(include_input=False, include_url=False)
        ]
        raise Invalid("Some fields cannot be read; each is named.", errors=errors) from None


def faults(refusal: FollowUpError) -> Sequence[FieldError]:
    """What a refusal finds fault with, each with its code, for the words of the page; one of no field has an empty
    name."""
    return refusal.errors or (FieldError("", refusal.code, refusal.detail),)


def _code(kind: str) -> str:
    return "required" if kind in ("missing", "string_too_short") else kind


def version(given: Mapping[str, str]) -> int | None:
    """The version of the object that the form was made for."""
    text = given.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
