"""Log lines of every process in one form, those of libraries included."""

import logging
import sys
from typing import Any

import structlog

from settings import settings

NOISY = ("arq.worker", "asyncio", "tortoise")


def set_up(process: str) -> None:
    """Write this process's log to stderr as LOG_LEVEL and LOG_FORMAT say; `process` stands in every line."""
    level = logging.getLevelNamesMapping().get(settings().log_level.upper(), logging.INFO)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _naming(process),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers()],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _renderers() -> list[Any]:
    if settings().log_format == "json":
        # Local variables stay out of the log: passwords and tokens are among them.
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        return [structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer(default=str)]
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]


def _naming(process: str) -> Any:
    def add_process(_logger: Any, _method: str, line: dict[str, Any]) -> dict[str, Any]:
        line.setdefault("process", process)
        return line

    return add_process
