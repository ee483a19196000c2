"""Every process writes its log in one form, libraries included."""

import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

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


@pytest.mark.parametrize("form", ["json", "console"])
def test_lines_say_which_request_they_are_written_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    use(monkeypatch, log_format=form)
    log.set_up("api")
    ours, foreign = structlog.get_logger("ours"), logging.getLogger("uvicorn.error")
    before = log.request_id.set("seven")
    ours.info("of a request")
    foreign.warning("of a request")
    ours.info("of a request", request_id="eight")
    log.request_id.reset(before)
    ours.info("of none")
    *within, after = capsys.readouterr().err.splitlines()
    for line, request in zip(within, ("seven", "seven", "eight"), strict=True):
        assert "request_id" in line and request in line
    assert "request_id" not in after


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_logger_without_a_name_bears_its_modules(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    use(monkeypatch, log_format=form)
    log.set_up("api")
    structlog.get_logger().info("%s of %d", "one", 2)
    line = capsys.readouterr().err
    assert __name__ in line and "one of 2" in line


@dataclass(repr=False)
class Secret:
    password: str = "hunter2"

    def __repr__(self) -> str:
        return "a secret"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (2**70, 2**70),
        ("Zoë", "Zoë"),
        ("half \ud800", "half \ud800"),
        ({1: UUID(int=7)}, {"1": str(UUID(int=7))}),
        (b"bytes", "b'bytes'"),
        (Secret(), "a secret"),
    ],
)
def test_whatever_is_told_becomes_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: Any, written: Any
) -> None:
    use(monkeypatch, log_format="json")
    log.set_up("api")
    structlog.get_logger("ours").info("told", value=value)
    logging.getLogger("theirs").warning("told")
    ours, theirs = capsys.readouterr().err.splitlines()
    assert json.loads(ours)["value"] == written
    assert json.loads(theirs)["event"] == "told"


def test_local_variables_stay_out_of_the_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for form in ("json", "console"):
        use(monkeypatch, log_format=form)
        log.set_up("api")
        password = "hunter" + str(2)
        try:
            raise ValueError("no")
        except ValueError:
            structlog.get_logger("ours").exception("it failed")
        line = capsys.readouterr().err
        assert "ValueError" in line and password not in line


def test_a_log_that_cannot_be_written_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch)
    full = Path("/dev/full").open("w")  # noqa: SIM115 - it cannot be closed without a failure
    monkeypatch.setattr(sys, "stderr", full)
    log.set_up("api")
    ours = structlog.get_logger("ours")
    ours.info("onto a full disk")
    with pytest.raises(OSError, match="space"):
        full.close()
    ours.info("onto nothing")
