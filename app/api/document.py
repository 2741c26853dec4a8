"""The OpenAPI document: what FastAPI knows of the routes, and what only the middleware, the acts and the conditional
answers know."""

import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.actor import SCOPE, Act
from app.api.answers import Problem
from app.http import problems
from app.http.middleware import guarded

Json = dict[str, Any]

TAGS: Mapping[str, str] = {
    "alerts": "Overdue alerts: as they stand, and as the feed that hospital systems poll.",
    "visits": "The due list, and what people do with its visits.",
    "infusions": "Infusion events: an infusion in, its plans and visits out.",
    "patients": "Patients: found, changed, and what happens to them.",
    "contacts": "Attempts to reach a patient.",
    "figures": "How follow-up stands, in numbers.",
    "catalogue": "Centres, products and protocols.",
    "imports": "Files of infusions.",
    "demo": "The demo's day. These addresses exist in the demo only.",
}
_TEXT = {"schema": {"type": "string"}}
_ETAG = {"ETag": {"description": 'The version, `"3"` or `"3.<stamp>"`, or of a list `W/"<stamp>"`', **_TEXT}}
_LOCATION = {"Location": {"description": "Where the new object is", **_TEXT}}
_LINK = {"Link": {"description": 'The next page, `rel="next"`, while there is one', **_TEXT}}
_RETRY = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer"}}}
_HELD = "The ETag of the answer that the caller has; 304 while it is still true."
_IF_NONE_MATCH = {"name": "If-None-Match", "in": "header", "required": False, "description": _HELD, **_TEXT}
_OWN_ID = "Echoed when it is a UUID, with or without dashes; else the trace-id of `traceparent`, else a new one."
_REQUEST_ID = {"name": "X-Request-Id", "in": "header", "required": False, "description": _OWN_ID, **_TEXT}


def build(app: FastAPI) -> Json:
    """The document for every route under /api; made once for an application, when it is first asked for."""
    if app.openapi_schema is None:
        app.openapi_schema = _built(app)
    return app.openapi_schema


def _built(app: FastAPI) -> Json:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        contact={"name": "The maintainers of follow-up"},
        license_info={"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        servers=[{"url": "/", "description": "the service that this document comes from"}],
        routes=app.routes,
        separate_input_output_schemas=False,
    )
    problem = Problem.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    schemas = document["components"]["schemas"] = document["components"]["schemas"] | problem.pop("$defs")
    schemas["Problem"] = problem
    _enumerate(schemas)
    _describe(schemas)
    for schema in schemas.values():
        _plain(schema)
    bearer = {"type": "http", "scheme": "bearer", "description": "An API token; beside each operation, its scope"}
    document["components"]["securitySchemes"] = {"bearer": bearer}
    examples = orjson.loads(_data("examples.json"))
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if guarded(path):
                _complete(method, operation, app.state.acts[path, method.upper()])
                _show(operation, examples.get(operation["operationId"], {}))
    used = {tag for item in document["paths"].values() for one in item.values() for tag in one["tags"]}
    document["tags"] = [{"name": name, "description": says} for name, says in TAGS.items() if name in used]
    return document


def _complete(method: str, operation: Json, act: Act) -> None:
    operation["security"] = [{"bearer": []}]
    if act in SCOPE:
        operation["x-required-scope"] = SCOPE[act]
        operation["description"] += f"\n\nA system's token needs the scope `{SCOPE[act]}`."
    parameters = operation.setdefault("parameters", [])
    parameters.append(_REQUEST_ID)
    answers = operation["responses"]
    if "304" in answers:
        parameters.append(_IF_NONE_MATCH)
    if method == "patch":
        content = operation["requestBody"]["content"]
        content["application/merge-patch+json"] = content["application/json"]
    pages = any(parameter["name"] in ("cursor", "after") for parameter in parameters)
    for code, answer in answers.items():
        if code in ("429", "503"):
            answer["headers"] = _RETRY
        elif code == "201":
            answer["headers"] = _ETAG | _LOCATION
        elif code in ("200", "304"):
            answer["headers"] = _ETAG | (_LINK if pages and code == "200" else {})


def _show(operation: Json, example: Json) -> None:
    """A real request and the real answer to it; a test asks them again."""
    if "request" in example:
        for content in operation["requestBody"]["content"].values():
            content["example"] = example["request"]
    if "answer" in example:
        for code, answer in operation["responses"].items():
            if code < "300" and "content" in answer:
                answer["content"]["application/json"]["example"] = example["answer"]


def _enumerate(schemas: Json) -> None:
    """The types of problems and their codes. New codes may come, so a client takes one that it does not know by its
    status."""
    types = sorted({f"/problems/{line.type}" for line in problems.every_code()})
    properties = schemas["Problem"]["properties"]
    properties["type"] = {"type": "string", "enum": types}
    schemas["ErrorCode"] = {
        "description": "The codes of today; new ones may come at any time.",
        "anyOf": [{"type": "string", "enum": _data("codes.txt").split()}, {"type": "string"}],
    }
    for schema in ("Problem", "Fault"):
        schemas[schema]["properties"]["code"] = {"$ref": "#/components/schemas/ErrorCode"}


def _data(name: str) -> str:
    return files("app.api").joinpath(name).read_text(encoding="utf-8")


def _describe(schemas: Json) -> None:
    """Says what each field is, by the table of fields.toml. Raises KeyError for one that is not in it."""
    known = tomllib.loads(_data("fields.toml"))
    for name, schema in schemas.items():
        for field, shape in schema.get("properties", {}).items():
            shape["description"] = known[f"{name}.{field}" if f"{name}.{field}" in known else field]


def _plain(schema: Json) -> None:
    """Without what misleads generators of clients: titles that repeat the name, defaults, by which some take a field
    that may be left out for one that is always there, and the length of a text said of a list."""
    for part in _parts(schema):
        part.pop("default", None)
        if part.get("type") == "array":
            for length, items in (("maxLength", "maxItems"), ("minLength", "minItems")):
                if length in part:
                    part[items] = part.pop(length)
        for shape in part.get("properties", {}).values():
            shape.pop("title", None)


def _parts(schema: Json) -> Iterator[Json]:
    yield schema
    below = [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]
    for part in [*below, schema["items"]] if isinstance(schema.get("items"), dict) else below:
        yield from _parts(part)
