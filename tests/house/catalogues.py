"""The words of the pages: every message of templates and code stands in the Swedish catalogue. `python -m
tests.house.catalogues` adds what is missing, empty, so that somebody translates it. Messages are English, which needs
no catalogue."""

from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

PAGES = Path(__file__).resolve().parents[2] / "app" / "pages"
LOCALES = ("sv",)
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
    """Brings the catalogue to the messages of the code."""
    wanted = extracted()
    for locale in LOCALES:
        known = catalogue(locale) if path(locale).exists() else Catalog(locale=locale)
        fresh = Catalog(locale=locale, header_comment="# The words of the pages.")
        for message in wanted:
            if not message.id:
                continue
            old = known.get(message.id)
            fresh.add(message.id, old.string if old else ("", "") if message.pluralizable else "")
        with path(locale).open("wb") as file:
            write_po(file, fresh, width=150, sort_output=True, omit_header=True)


if __name__ == "__main__":
    update()
