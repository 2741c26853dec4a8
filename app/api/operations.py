"""Operations: alive, ready, metrics, version, the OpenAPI document; and a plain page of it. No token, and nothing about
a person."""

import asyncio
from base64 import b64encode
from hashlib import blake2b, sha256
from html import escape

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from app.api import document
from app.errors import NotFound, Unavailable
from app.followup import health
from app.followup.health import Health
from app.http import conditional, problems
from app.http.call import Headers, header
from app.http.conditional import answer
from app.http.deps import OpenDep, unasked

router = APIRouter(tags=["operations"], include_in_schema=False)
PATHS = frozenset(
    {"/docs", "/livez", "/readyz", "/metrics", "/version", "/openapi.json", "/problems/{type}", "/robots.txt"}
)
READY_SECONDS = 8.0  # longer than the wait for a lock or for a free connection; a probe gives up later
# By supervisors and balancers: counted apart, so that no page takes their share.
WATCHED = frozenset({"/livez", "/readyz", "/metrics"})

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 "
    "1rem;color:#1b1b1b;background:#fff}"
    "code{background:#eee;padding:0 .25rem}"
)
# What pages may load: our own files only, and one style that is known by its hash.
HEADERS: Headers = [
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"same-origin"),
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self' 'sha256-"
        + b64encode(sha256(_STYLE.encode()).digest())
        + b"'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
]


class Figures:
    """What /metrics tells of the worker. One for each application."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.last_sweep = Gauge(
            "follow_up_last_sweep_timestamp_seconds", "When the last sweep ended (UTC)", registry=registry
        )
        self.raised = Gauge("follow_up_last_sweep_raised", "Alerts that the last sweep raised", registry=registry)
        self.jumped = Gauge(
            "follow_up_sweep_day_jumped_days", "By how many days the sweeps' day has jumped lately", registry=registry
        )
        self.late = Gauge(
            "follow_up_sweep_late", "1 when the last sweep is older than two intervals", registry=registry
        )

    def tell(self, found: Health) -> bytes:
        """The text for Prometheus."""
        self.last_sweep.set(found.last_sweep_at.timestamp() if found.last_sweep_at else 0)
        self.raised.set(found.raised)
        self.late.set(found.late)
        self.jumped.set((found.jump.after - found.jump.before).days if found.jump else 0)
        return generate_latest(self.registry)


@router.get("/livez")
async def livez() -> Response:
    """200 while the process runs."""
    return answer({"status": "alive"})


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """503 only when the service cannot serve, asked on the connections that calls use and with a limit of its own; a
    late sweep, or one whose day has jumped, is reported as `degraded`, since lists are right without the worker; that
    the demo's tokens are honoured stands in `warnings`."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            async with unasked(request) as tx:
                found = await health.ready(tx, request.app.state.sweep_minutes)
            async with unasked(request, writing=True) as tx:
                await health.writable(tx)
    except TimeoutError:
        raise Unavailable("The database does not answer.", retry_after=10) from None
    stands = {"status": "degraded" if found.reasons else "ready", "reasons": found.reasons}
    body = stands | {"last_swept_on": found.last_swept_on, "last_sweep_at": found.last_sweep_at}
    return answer(body | {"warnings": ["demo_tokens"] if request.app.state.one_click else []})


@router.get("/metrics")
async def metrics(tx: OpenDep, request: Request) -> Response:
    """For Prometheus."""
    found = await health.health(tx, request.app.state.sweep_minutes)
    return Response(request.app.state.figures.tell(found), media_type=CONTENT_TYPE_LATEST)


@router.get("/version")
async def version(request: Request) -> Response:
    """Which version runs."""
    return answer({"name": "follow-up", "version": request.app.version})


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """The interface as OpenAPI, with a tag of its content."""
    whole = answer(document.build(request.app))
    etag = f'"{blake2b(whole.body, digest_size=12).hexdigest()}"'
    held = conditional.held(header(request.scope, b"if-none-match"), etag)
    shown = conditional.not_modified(etag) if held else whole
    shown.headers.update({"etag": etag, "cache-control": "no-cache"})
    return shown


@router.get("/docs")
async def docs(request: Request) -> Response:
    """The interface as a plain page."""
    rows = "".join(
        f"<h2><code>{escape(method.upper())} "
        f"{escape(path)}</code></h2><p>{escape(operation.get('description') or '')}</p>"
        for path, item in document.build(request.app)["paths"].items()
        for method, operation in item.items()
    )
    return _page(
        "The interface", f'<p>The whole of it for machines: <a href="/openapi.json">/openapi.json</a>.</p>{rows}'
    )


@router.get("/problems/{type}")
async def problem(type: str) -> Response:  # noqa: A002 - the member's name in a problem
    """What a type of problem means, as a plain page: its status, and each code with what it says."""
    known = [line for line in problems.every_code() if line.type == type]
    if not known:
        raise NotFound("There is no such type of problem.")
    rows = "".join(f"<tr><td><code>{escape(line.code)}</code></td><td>{escape(line.title)}</td></tr>" for line in known)
    place = "The code stands in <code>code</code>, and for each field in <code>errors</code>."
    head = f"<p>Status {known[0].status}. {place}</p>"
    return _page(
        type, f"{head}<table><thead><tr><th>Code</th><th>What it says</th></tr></thead><tbody>{rows}</tbody></table>"
    )


@router.get("/robots.txt")
async def robots() -> Response:
    """Search engines stay out."""
    return PlainTextResponse("User-agent: *\nDisallow: /\n")


def _page(title: str, body: str) -> Response:
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )
