"""Log lines of every process in one form, those of libraries included."""

import json
import logging
import sys
from contextvars import ContextVar
from typing import Any

import orjson
import structlog
from structlog.stdlib import ProcessorFormatter

from settings import settings

NOISY = ("arq.worker", "asyncio", "tortoise")
# Stands in every line that is written while a request is served.
request_id: ContextVar[str] = ContextVar("request_id", default="")


def set_up(process: str) -> None:
    """Write this process's log to stderr as LOG_LEVEL and LOG_FORMAT say; `process` stands in every line."""
    level = structlog.processors.NAME_TO_LEVEL.get(settings().log_level.lower(), logging.INFO)
    shared: list[Any] = [
        _with_request_id,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _naming(process),
    ]
    rendering = _rendering()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        ProcessorFormatter(foreign_pre_chain=shared, processors=[ProcessorFormatter.remove_processors_meta, *rendering])
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    # Our own lines take no way through logging, which would cost as much as a small query.
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=Loggers(),
        cache_logger_on_first_use=True,
    )


class Loggers:
    """Makes what writes the lines of one logger; without a name it bears that of the module that logs."""

    def __init__(self) -> None:
        self._named = structlog.stdlib.LoggerFactory(ignore_frame_names=[__name__])

    def __call__(self, *name: str) -> "Lines":
        return Lines(self._named(*name).name)


class Lines:
    """Writes lines to stderr; a log that cannot be written stops nothing."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._file = sys.stderr.buffer

    def write(self, line: str) -> None:
        try:
            self._file.write(f"{line}\n".encode(errors="backslashreplace"))
            self._file.flush()
        except (OSError, ValueError):
            return

    debug = info = warning = error = critical = write


def _rendering() -> list[Any]:
    if settings().log_format == "json":
        # Local variables stay out of the log: passwords and tokens are among them.
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        return [structlog.processors.ExceptionRenderer(tracebacks), _as_json]
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]


def _as_json(_logger: Any, _method: str, line: Any) -> str:
    try:
        return orjson.dumps(line, default=str, option=orjson.OPT_PASSTHROUGH_DATACLASS).decode()
    except TypeError:
        # Whole numbers beyond 64 bits, halves of characters, keys that are no text.
        return json.dumps(line, default=str)


def _with_request_id(_logger: Any, _method: str, line: Any) -> Any:
    if found := request_id.get():
        line.setdefault("request_id", found)
    return line


def _naming(process: str) -> Any:
    def add_process(_logger: Any, _method: str, line: dict[str, Any]) -> dict[str, Any]:
        line.setdefault("process", process)
        return line

    return add_process
