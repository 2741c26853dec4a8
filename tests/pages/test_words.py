"""What codes are called: whatever a page can be told has a word, so that nobody reads a code, or English on a Swedish
page."""

import ast
from collections.abc import Iterator

from app.pages import words
from app.planning.facts import EventType
from tests.house.printing import ROOT, every_error, tracked

# Where forms are checked: the acts of people, and what these ask.
CHECKS = (
    "app/planning/refusals.py",
    "app/planning/courses.py",
    "app/identifiers.py",
    "app/access/accounts.py",
    "app/http/deps.py",
    "app/followup/*.py",
)
# Errors of what is no page, and of what no page asks for.
OF_NO_PAGE = {
    *("address_too_long", "headers_too_large"),  # answered before a page is looked for
    # Backup and restore.
    *("backup_exists", "database_in_use", "database_not_empty", "no_tools", "not_a_backup", "tool_failed"),
    *(
        "malformed",
        "bad_cursor",
        "cursor_expired",
        "too_large",
        "method_not_allowed",
        "unsupported_media_type",
        "internal",
    ),  # the API and its edge
    # Files that an operator loads.
    *("invalid_protocol", "invalid_catalogue", "protocol_version_changed", "unreadable_file", "invalid_row"),
    # Commands.
    *("cannot_listen", "not_migrated", "bad_key_file", "unreadable", "not_a_demo", "already_running", "refused"),
    "invalid_identifier",  # pages tell which fault the number has
    "number_taken",  # no page changes a patient
}


def _calls(*patterns: str) -> Iterator[ast.Call]:
    for name in tracked(*patterns):
        yield from (node for node in ast.walk(ast.parse((ROOT / name).read_text())) if isinstance(node, ast.Call))


def _texts(nodes: list[ast.expr]) -> Iterator[str]:
    yield from (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def _codes_of_fields() -> set[str]:
    """The second value of each FieldError, what is given as `code=`, and pydantic's errors of our own."""
    codes = set()
    for call in _calls(*CHECKS):
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if name in ("FieldError", "_invalid"):
            codes |= set(_texts(call.args[1:2]))
        if name == "PydanticCustomError":
            codes |= set(_texts(call.args[:1]))
        codes |= {text for keyword in call.keywords if keyword.arg == "code" for text in _texts([keyword.value])}
    return codes


# Codes of the files above that forms on pages cannot bring about.
OF_NO_FORM = {
    *(
        "not_utf8",
        "empty_file",
        "no_header",
        "unknown_column",
        "missing_column",
        "duplicate_column",
        "wrong_number_of_values",
    ),
    *("spreadsheet_day", "malformed", "row_too_long", "too_many_rows"),  # files of infusions
    # What forms never send.
    *("patient_required", "source_required", "contradiction", "unknown_visit", "two_care_plans", "unknown_protocol"),
    *("voided", "after_done_visit", "unknown_role", "unknown_system"),  # corrections of infusions, and accounts
}


def test_every_error_that_a_page_can_meet_has_a_word() -> None:
    codes = {cls.code for cls in every_error()}
    assert codes >= OF_NO_PAGE
    assert codes - OF_NO_PAGE - set(words.WORDS["error"]) == set()


def test_every_fault_of_a_form_has_a_word() -> None:
    codes = _codes_of_fields()
    assert codes >= OF_NO_FORM
    assert codes - OF_NO_FORM - set(words.WORDS["error"]) == set()


def test_everything_that_is_logged_as_read_has_a_word_and_nothing_else() -> None:
    seen: set[str] = set()
    for call in _calls("app/followup/*.py", "app/pages/*.py"):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "saw":
            seen |= set(_texts(call.args[:1]))
    assert seen == set(words.WORDS["what"])


def test_every_act_of_the_history_has_a_word() -> None:
    acts: set[str] = {kind.value for kind in EventType if kind is not EventType.CONSENT}
    for call in _calls("app/followup/*.py"):
        name = (
            call.func.id
            if isinstance(call.func, ast.Name)
            else call.func.attr
            if isinstance(call.func, ast.Attribute)
            else ""
        )
        if name in ("settle", "_decided", "_moved"):
            acts |= set(_texts(call.args[1:2]))
        if name == "changed":
            acts |= set(_texts(call.args[2:3]))
    assert len(acts) > 20
    assert acts - set(words.WORDS["act"]) == {"loaded"}  # centres and products, which belong to no patient
