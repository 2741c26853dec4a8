"""The parts of docs/ that code prints: `python -m tests.house.printing` writes them anew, test_documents.py compares.

A part stands between `<!-- printed: name -->` and `<!-- end -->`; all around it is written by hand.
"""

import ast
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from typer.main import get_command

from app.actor import MAY, SCOPE, Act, Role
from app.errors import FollowUpError
from app.http import problems
from app.http.problems import kind_of
from app.planning import protocol
from app.planning.protocol import Offset, Protocol, VisitRule
from app.settings import Settings
from tests.house.routes import routes

ROOT = Path(__file__).parents[2]
ROLES = (Role.NURSE, Role.CLINICIAN, Role.COORDINATOR, Role.INTEGRATION, Role.NETWORK, Role.AUDITOR, Role.ADMIN)
_SENTENCE = re.compile(r"(.+?)\.(?:\s|$)", re.DOTALL)


# ---- The house -------------------------------------------------------------------------------------------------------


def tracked(*patterns: str) -> list[str]:
    """The files of the project, as git lists them."""
    done = subprocess.run(["git", "ls-files", "--", *patterns], cwd=ROOT, check=True, capture_output=True, text=True)
    return [name for name in done.stdout.splitlines() if (ROOT / name).exists()]


def floors() -> list[list[str]]:
    """The floors from above, each with its rooms, as the import rules of pyproject.toml have them; rooms not built are
    left out."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(rule["layers"] for rule in rules if rule["type"] == "layers")
    return [[name.strip() for name in layer.split("|") if not name.strip().startswith("(")] for layer in layers]


def first_sentence(source: str) -> str:
    """Of a module's docstring."""
    told = " ".join((ast.get_docstring(ast.parse(source)) or "").split())
    found = _SENTENCE.match(told)
    return found[1] if found else told


def rooms() -> str:
    """Every file of app/, floor by floor from above, with the first sentence of its docstring."""
    return "```\n" + "\n".join(_floors(tracked("app"))) + "\n```"


def _floors(files: list[str]) -> Iterator[str]:
    for number, floor in enumerate(floors()):
        if number:
            yield "-" * 40
        for room in floor:
            if f"app/{room}.py" in files:
                yield _line(f"app/{room}.py", room + ".py", 0)
            inside = [name for name in files if name.startswith(f"app/{room}/") and not name.endswith("__init__.py")]
            if inside:
                yield _line(f"app/{room}/__init__.py", f"{room}/", 0)
                yield from (_line(name, name.removeprefix(f"app/{room}/"), 2) for name in inside)


def _line(path: str, name: str, indent: int) -> str:
    told = first_sentence((ROOT / path).read_text()) if path.endswith(".py") else ""
    return f"{' ' * indent}{name:<{22 - indent}} {told}".rstrip()


# ---- Who may what ----------------------------------------------------------------------------------------------------


def who_may() -> str:
    """The table of app/actor.py. `scope`: a token of a system needs it for the act."""
    rows = [[act.value, *(_may(act, role) for role in ROLES)] for act in MAY if MAY[act] != {Role.WORKER}]
    return table(["act", *(role.value for role in ROLES)], rows)


def _may(act: Act, role: Role) -> str:
    if role not in MAY[act]:
        return "-"
    return f"`{SCOPE[act]}`" if role is Role.INTEGRATION and act in SCOPE else "yes"


def scopes() -> str:
    """Each scope with what it opens."""
    rows = [
        [f"`{scope}`", "; ".join(act.value for act in SCOPE if SCOPE[act] == scope)]
        for scope in sorted(set(SCOPE.values()))
    ]
    return table(["scope", "opens"], rows)


# ---- Settings, addresses, errors -------------------------------------------------------------------------------------


def settings() -> str:
    """Each setting with its default."""
    prefix = Settings.model_config["env_prefix"]
    rows = [
        [f"`{prefix}{name.upper()}`", _default(field.default), field.description or ""]
        for name, field in Settings.model_fields.items()
    ]
    return table(["variable", "default", "what"], rows)


def _default(value: object) -> str:
    if value is None:
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def addresses() -> str:
    """Each address of the API, with the act that it needs."""
    rows = [[f"{route.method} {route.path}", route.act.value, _code(route.told)] for route in routes()]
    return table(
        ["address (under `/api/v1`)", "act", "what"],
        [[f"`{a.replace(' /api/v1', ' ')}`", act, told] for a, act, told in rows],
    )


def _code(text: str) -> str:
    return text.replace("|", "\\|")


def every_error() -> list[type[FollowUpError]]:
    """The field's errors: each class once, by status and code."""
    for name in tracked("app/*.py"):
        if not name.endswith("__main__.py"):  # which is the command itself
            import_module(name.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    found: dict[type[FollowUpError], None] = {}
    waiting: list[type[FollowUpError]] = [FollowUpError]
    while waiting:
        below = waiting.pop().__subclasses__()
        found |= dict.fromkeys(below)
        waiting += below
    return sorted(
        (cls for cls in found if cls.__module__.startswith("app.")), key=lambda cls: (kind_of_class(cls), cls.code)
    )


def kind_of_class(cls: type[FollowUpError]) -> tuple[int, str]:
    """Status and type of the problem that an error of the class becomes."""
    kind = kind_of(cls())
    return kind.status, kind.name


def errors() -> str:
    """Each error that a caller may meet: status, type of the problem, code, what it says."""
    every_error()  # so that every class is loaded
    told = [line for line in problems.every_code() if line.status != 500]
    return table(
        ["status", "type", "code", "what it says"],
        [[str(t.status), f"`{t.type}`", f"`{t.code}`", t.title] for t in told],
    )


def commands() -> str:
    """Each command of `follow-up` with its own options."""
    from app.cli import commands as app

    rows = [
        [f"`{name}`", _code(told), " ".join(f"`{option}`" for option in options)]
        for name, told, options in _commands(get_command(app), "")
    ]
    return table(["command", "what it does", "options"], rows)


def _commands(command: Any, name: str) -> Iterator[tuple[str, str, list[str]]]:
    """Name, help, and options but those that all take. A group is its commands."""
    if below := getattr(command, "commands", None):
        for word in below:
            yield from _commands(below[word], f"{name} {word}".strip())
        return
    words = [str(p.metavar or p.name).upper() for p in command.params if p.param_type_name == "argument"]
    options = [max(p.opts, key=len) for p in command.params if p.param_type_name == "option"]
    yield (
        " ".join([name, *words]),
        " ".join(command.help.split()),
        [o for o in options if o not in ("--today", "--json", "--help")],
    )


# ---- Protocols -------------------------------------------------------------------------------------------------------


def protocols() -> str:
    """The published protocols that are shipped."""
    parsed = sorted((protocol.parse(text) for text in protocol.published()), key=lambda p: p.code)
    rows = [
        [
            f"`{p.code}` {p.version}",
            _kind(p),
            "; ".join(_visits(p)),
            "verified" if p.verified else "**not verified**",
            " ".join(p.source.split()),
        ]
        for p in parsed
    ]
    return table(
        ["protocol, version", "kind", "visits (window: days before/after)", "checked at the source", "source"], rows
    )


def _kind(p: Protocol) -> str:
    told = [p.purpose.value, f"begins again: {p.restart.value}"]
    told += ["needs consent"] if p.needs_consent else []
    told += [f"for {' and '.join(p.classes)}"] if p.classes else []
    return ", ".join([*told, *([p.applies_if] if p.applies_if else [])])


def _visits(p: Protocol) -> Iterator[str]:
    """Rules that follow each other with the same anchor, window and modes, and offsets in years, are one entry."""
    groups: list[list[VisitRule]] = []
    for rule in p.rules:
        if groups and _alike(groups[-1][-1]) == _alike(rule) and rule.offset.years:
            groups[-1].append(rule)
        else:
            groups.append([rule])
    for group in groups:
        first, last = group[0], group[-1]
        codes = first.code if first is last else f"{first.code}-{last.code}"
        when = f"{first.anchor.value} + {_offset(first.offset)}" if first is last else f"{first.anchor.value} + years"
        due = f", report due day {first.report_due}" if first.report_due else ""
        yield f"{codes} {when} ({first.before}/{first.after}) {' or '.join(first.modes)}{due}"
    if p.endless:
        yield "then yearly without end"


def _alike(rule: VisitRule) -> tuple[object, ...]:
    return rule.anchor, rule.before, rule.after, rule.modes, rule.offset.years is not None


def _offset(offset: Offset) -> str:
    unit, number = next(
        (name, n) for name in ("days", "weeks", "months", "years") if (n := getattr(offset, name)) is not None
    )
    return f"{number} {unit}"


# ---- Writing ---------------------------------------------------------------------------------------------------------


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


PRINTED: Mapping[str, tuple[str, Callable[[], str]]] = {
    "rooms": ("docs/architecture.md", rooms),
    "who may": ("docs/security.md", who_may),
    "scopes": ("docs/security.md", scopes),
    "settings": ("docs/operations.md", settings),
    "commands": ("docs/operations.md", commands),
    "addresses": ("docs/interface.md", addresses),
    "errors": ("docs/interface.md", errors),
    "protocols": ("docs/clinical.md", protocols),
}


def part(name: str) -> re.Pattern[str]:
    """Where a printed part stands in its document."""
    return re.compile(rf"(<!-- printed: {name} -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def write() -> None:
    """Writes every printed part anew."""
    for name, (path, printed) in PRINTED.items():
        file = ROOT / path
        pieces = part(name).split(file.read_text())
        if len(pieces) != 5:
            raise RuntimeError(f"{path} has no single place for {name}")
        before, begin, _, end, after = pieces
        file.write_text(f"{before}{begin}{printed()}\n{end}{after}")


if __name__ == "__main__":
    write()
