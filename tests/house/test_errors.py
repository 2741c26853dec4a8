"""The field's errors: each says what is wrong in its docstring, has a code of its own, and is an answer that a caller
can act on."""

import pytest

from app.errors import FollowUpError
from tests.house.printing import every_error, kind_of_class

ERRORS = every_error()
# The last resort is 500 by design; commands and the demo end with a line on standard error, and answer no request.
LAST_RESORT = "internal"
OF_NO_ADDRESS = ("app.cli", "app.demo", "app.http.server", "app.db.backup", "app.db.dump")


@pytest.mark.parametrize("cls", ERRORS, ids=lambda cls: cls.__name__)
def test_an_error_says_what_is_wrong_in_one_sentence(cls: type[FollowUpError]) -> None:
    assert "__doc__" in vars(cls)
    assert vars(cls)["__doc__"]
    assert cls.__doc__ is not None
    assert cls.__doc__.strip().partition("\n\n")[0].endswith(".")
    assert "\n" not in cls.title()


@pytest.mark.parametrize("cls", ERRORS, ids=lambda cls: cls.__name__)
def test_an_error_has_a_code_of_its_own(cls: type[FollowUpError]) -> None:
    assert [other for other in ERRORS if other.code == cls.code] == [cls]


def test_every_error_has_a_line_in_the_table_of_problems() -> None:
    without = [cls for cls in ERRORS if kind_of_class(cls)[0] == 500 and not cls.__module__.startswith(OF_NO_ADDRESS)]
    assert [cls.code for cls in without] == [LAST_RESORT]


def test_every_error_of_the_house_is_read() -> None:
    assert len(ERRORS) > 40
