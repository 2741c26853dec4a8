"""Planted faults: one rule of the service's own text replaced by a wrong one, wherever the function is used, for the
time of a test."""

import inspect
import sys
import textwrap
from types import FunctionType
from typing import Any, NamedTuple

import pytest


class Fault(NamedTuple):
    """`function` is "module:name" or "module:Class.name"; its text `old`, which stands there once, reads `new` while
    the fault is planted. The life of that `seed` finds it."""

    rule: str
    function: str
    old: str
    new: str
    seed: int = 24


def plant(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaces the function in its module and in every module of `app` that imported it. Raises AssertionError when the
    text is gone."""
    module_name, _, path = fault.function.partition(":")
    __import__(module_name)
    *owners, name = path.split(".")
    owner: Any = sys.modules[module_name]
    for step in owners:
        owner = getattr(owner, step)
    right = getattr(owner, name)
    wrong = rewritten(inspect.unwrap(right), fault)
    monkeypatch.setattr(owner, name, wrong)
    for module in [module for other, module in sys.modules.items() if other.partition(".")[0] == "app"]:
        for alias, value in list(vars(module).items()):
            if value is right:
                monkeypatch.setattr(module, alias, wrong)


def rewritten(function: FunctionType, fault: Fault) -> Any:
    """The function compiled anew from its changed text, in the namespace of its module."""
    text = textwrap.dedent(inspect.getsource(function))
    assert text.count(fault.old) == 1, (
        f"{fault.rule}: in {fault.function} the text stands {text.count(fault.old)} times: {fault.old}"
    )
    space = dict(function.__globals__)
    exec(compile(text.replace(fault.old, fault.new), f"<{fault.rule}>", "exec"), space)
    made = space[function.__name__]
    if not isinstance(made, FunctionType):  # decorated, by a cache for example
        return made
    wrong = FunctionType(made.__code__, function.__globals__, made.__name__, made.__defaults__, made.__closure__)
    wrong.__kwdefaults__ = made.__kwdefaults__
    return wrong
