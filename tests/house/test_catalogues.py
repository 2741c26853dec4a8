"""The words of the pages are whole in Swedish: none missing, none fuzzy, none left over, and the same places to fill
in."""

import re

import pytest

from tests.house.catalogues import LOCALES, catalogue, extracted


def _texts(string: object) -> tuple[str, ...]:
    return tuple(string) if isinstance(string, (tuple, list)) else (str(string),)


def _places(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)[sd]", text))


@pytest.mark.parametrize("locale", LOCALES)
def test_a_catalogue_has_every_message_and_no_other(locale: str) -> None:
    wanted, has = ({message.id for message in found if message.id} for found in (extracted(), catalogue(locale)))
    assert has == wanted, "run `python -m tests.house.catalogues` and translate what is empty"


@pytest.mark.parametrize("locale", LOCALES)
def test_no_message_is_empty_or_fuzzy_and_each_has_the_places_of_its_original(locale: str) -> None:
    wrong = []
    for message in catalogue(locale):
        if not message.id:
            continue  # the catalogue's own head
        places = _places(_texts(message.id)[-1])
        if message.fuzzy or any(not text or _places(text) != places for text in _texts(message.string)):
            wrong.append(message.id)
    assert wrong == []
