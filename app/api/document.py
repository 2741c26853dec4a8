"""The OpenAPI document: what FastAPI knows of the routes, and what only the middleware and the conditional answers
know."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.api.answers import Problem
from app.http.middleware import guarded

Operation = dict[str, Any]

_TEXT = {"schema": {"type": "string"}}
_ETAG = {"ETag": {"description": 'The version, `"3"` or `"3.<stamp>"`, or of a list `W/"<stamp>"`', **_TEXT}}
_LOCATION = {"Location": {"description": "Where the new object is", **_TEXT}}
_RETRY = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer"}}}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of the answer that the caller has; 304 while it is still true.",
    **_TEXT,
}
_REQUEST_ID = {
    "name": "X-Request-Id",
    "in": "header",
    "required": False,
    "description": "Echoed when it is a UUID; else one is made.",
    **_TEXT,
}


def build(app: FastAPI) -> dict[str, Any]:
    """The document for every route under /api; made once for an application, when it is first asked for."""
    if app.openapi_schema is None:
        app.openapi_schema = _built(app)
    return app.openapi_schema


def _built(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        tags=None,
        separate_input_output_schemas=False,
    )
    problem = Problem.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    document["components"]["schemas"] |= problem.pop("$defs") | {"Problem": problem}
    document["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "An API token"}
    }
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if guarded(path):
                _complete(method, operation)
    return document


def _complete(method: str, operation: Operation) -> None:
    operation["security"] = [{"bearer": []}]
    parameters = operation.setdefault("parameters", [])
    parameters.append(_REQUEST_ID)
    answers = operation["responses"]
    if "304" in answers:
        parameters.append(_IF_NONE_MATCH)
    if method == "patch":
        content = operation["requestBody"]["content"]
        content["application/merge-patch+json"] = content["application/json"]
    for code, answer in answers.items():
        if code in ("429", "503"):
            answer["headers"] = _RETRY
        elif code == "201":
            answer["headers"] = _ETAG | _LOCATION
        elif code in ("200", "304"):
            answer["headers"] = _ETAG
