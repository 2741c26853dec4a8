"""How errors are told where a test sets up no log of the service."""

import structlog


def tell_plainly() -> None:
    """Without every variable of every frame: to draw them took seconds for one error."""
    structlog.reset_defaults()
    structlog.configure(processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)])
