"""Every event has its tasks, or says that it has none."""

import importlib
import pkgutil

import domain
from domain.events import EVENTS
from workers.subscriptions import SUBSCRIPTIONS, TASKS
from workers.tasks.scoring import score_faded_leads, score_leads


def test_every_event_of_the_domain_is_on_the_page() -> None:
    for module in pkgutil.walk_packages(domain.__path__, "domain."):
        importlib.import_module(module.name)
    events = {event for event in EVENTS.values() if event.__module__.startswith("domain.")}
    assert events
    assert {event.name for event in events - set(SUBSCRIPTIONS)} == set()
    assert {event.name for event in set(SUBSCRIPTIONS) if event.__module__.startswith("domain.")} == {
        event.name for event in events
    }


def test_a_task_is_known_by_its_name() -> None:
    for task in (score_leads, score_faded_leads):
        assert TASKS[task.name] is task
    for tasks in SUBSCRIPTIONS.values():
        assert all(TASKS[task.name] is task for task in tasks)
