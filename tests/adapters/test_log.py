"""Every process writes its log in one form, libraries included."""

import logging
from collections.abc import Iterator

import orjson
import pytest
import structlog

from adapters import log
from settings import Settings


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def use(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    known = Settings.model_validate(values)
    monkeypatch.setattr(log, "settings", lambda: known)


def test_lines_of_ours_and_of_libraries_are_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, log_format="json")
    log.set_up("relay")
    structlog.get_logger("ours").info("relay ready", events=3)
    logging.getLogger("uvicorn.error").warning("%s is %s", "this", "foreign")
    try:
        raise ValueError("no")
    except ValueError:
        structlog.get_logger("ours").exception("it failed")
    ours, foreign, failed = [orjson.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (ours["event"], ours["process"], ours["level"], ours["events"]) == ("relay ready", "relay", "info", 3)
    assert (foreign["event"], foreign["level"], foreign["process"]) == ("this is foreign", "warning", "relay")
    assert failed["exception"][0]["exc_type"] == "ValueError"
    assert all(line["timestamp"].endswith("Z") for line in (ours, foreign, failed))


@pytest.mark.parametrize(("level", "heard"), [("INFO", True), ("warning", False), ("ERROR", False)])
def test_the_level_holds_for_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], level: str, heard: bool
) -> None:
    use(monkeypatch, log_level=level)
    log.set_up("worker")
    structlog.get_logger("ours").info("worker ready")
    logging.getLogger("uvicorn.error").info("worker ready")
    logging.getLogger("arq.worker").info("recording health")
    assert capsys.readouterr().err.count("worker ready") == 2 * heard


def test_setting_up_twice_writes_lines_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch)
    log.set_up("api")
    log.set_up("api")
    structlog.get_logger("ours").info("once")
    assert capsys.readouterr().err.count("once") == 1
