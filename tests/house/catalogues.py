"""The words of the pages: every message of templates and code stands in both catalogues. `python -m
tests.house.catalogues` adds what is missing, empty, so that somebody translates it."""

from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

PAGES = Path(__file__).resolve().parents[2] / "app" / "pages"
LOCALES = ("sv", "en_GB")
METHODS = [("templates/**.html", "jinja2"), ("words.py", "python")]


def extracted() -> Catalog:
    """All messages, as they stand in the code."""
    found = Catalog()
    keywords = {"_": None, "gettext": None, "N_": None, "ngettext": (1, 2)}
    for file, line, message, comments, context in extract_from_dir(PAGES, METHODS, keywords=keywords):
        found.add(message, None, [(file, line)], auto_comments=comments, context=context)
    return found


def path(locale: str) -> Path:
    """The catalogue's file."""
    return PAGES / "locale" / locale / "LC_MESSAGES" / "messages.po"


def catalogue(locale: str) -> Catalog:
    """The catalogue as it stands."""
    with path(locale).open("rb") as file:
        return read_po(file, locale=locale)


def update() -> None:
    """Brings both catalogues to the messages of the code; English words that are missing are the message itself."""
    wanted = extracted()
    for locale in LOCALES:
        known = catalogue(locale) if path(locale).exists() else Catalog(locale=locale)
        fresh = Catalog(locale=locale, header_comment="# The words of the pages.")
        for message in wanted:
            if not message.id:
                continue
            old = known.get(message.id)
            same = message.id if locale == "en_GB" else ("", "") if message.pluralizable else ""
            fresh.add(message.id, old.string if old and all(_texts(old.string)) else same)
        with path(locale).open("wb") as file:
            write_po(file, fresh, width=150, sort_output=True, omit_header=True)


def _texts(string: object) -> list[str]:
    return [str(text) for text in (string if isinstance(string, (tuple, list)) else [string])]


if __name__ == "__main__":
    update()
