"""Calendar feeds as calendar apps read them: what they show, when they end, and what they never tell."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from icalendar import Calendar

from domain import calendar_feeds, subjects, workspaces
from domain.actors import Actor
from domain.errors import AlreadyExists, Forbidden, NotFound
from models.base import uuid7
from models.calendar_feeds import CalendarFeed
from models.follow_ups import FollowUp, FollowUpKind, FollowUpStatus, Priority
from models.leads import Lead
from models.stages import StageKind
from models.users import Membership, Role, Visibility
from settings import settings
from tests import factories
from tests.api.serving import Client

NOW = datetime.now(UTC).replace(microsecond=0)
BERLIN = "Europe/Berlin"


async def planned(owner: Actor, lead: Lead, **columns: Any) -> FollowUp:
    """Write a follow-up as it stands in the table."""
    known: dict[str, Any] = {
        "workspace_id": owner.workspace_id,
        "lead_id": lead.id,
        "owner_id": owner.user_id,
        "kind": FollowUpKind.CALL,
        "title": "Call back",
        "due_at": NOW + timedelta(days=1),
        "time_zone": BERLIN,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return await FollowUp.create(**known | columns)


async def path_of(owner: Actor) -> str:
    feed = await calendar_feeds.create(owner, name="Phone", now=NOW)
    return "/calendar/" + calendar_feeds.address(feed.id).rpartition("/")[2]


async def events(client: Client, path: str) -> list[Any]:
    answer = await client.http.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    return list(Calendar.from_ical(answer.content).walk("VEVENT"))


@pytest.fixture
async def rep(db: str) -> Actor:
    return await factories.member(Role.REP, of=await factories.seller())


@pytest.fixture
async def lead(rep: Actor) -> Lead:
    stage = await factories.stage(rep, StageKind.QUALIFY)
    return await factories.lead_in(stage, owner_id=rep.user_id, title="200 chairs")


async def test_open_follow_ups_are_shown_with_what_they_are_about(client: Client, rep: Actor, lead: Lead) -> None:
    at = datetime(2027, 7, 1, 7, 30, tzinfo=UTC)
    made = await planned(rep, lead, due_at=at, note="Ask, again; for\nthe budget", priority=Priority.HIGH, version=3)
    await planned(rep, lead, title="Done", status=FollowUpStatus.DONE)
    await planned(rep, lead, title="Long ago", due_at=NOW - timedelta(days=91))

    [event] = await events(client, await path_of(rep))

    assert event["UID"] == f"{made.id}@salescycle"
    assert event["SUMMARY"] == "Call back (200 chairs)"
    assert event["DESCRIPTION"] == "Ask, again; for\nthe budget"
    assert event.decoded("DTSTART").isoformat() == "2027-07-01T09:30:00+02:00"
    assert (event["PRIORITY"], event["SEQUENCE"]) == (1, 2)


async def test_a_follow_up_leads_to_its_lead_in_the_app(
    client: Client, rep: Actor, lead: Lead, monkeypatch: pytest.MonkeyPatch
) -> None:
    await planned(rep, lead)
    path = await path_of(rep)
    assert "URL" not in (await events(client, path))[0]

    chosen = settings().model_copy(update={"app_url": "https://crm.example/leads/{lead}"})
    monkeypatch.setattr(subjects, "settings", lambda: chosen)

    assert (await events(client, path))[0]["URL"] == f"https://crm.example/leads/Lead_{lead.id.hex}"


async def test_what_is_due_on_a_day_takes_the_whole_day_and_leaves_it_free(
    client: Client, rep: Actor, lead: Lead
) -> None:
    await planned(rep, lead, due_on=date(2027, 10, 31))

    [event] = await events(client, await path_of(rep))

    assert event.decoded("DTSTART") == date(2027, 10, 31)
    assert event["TRANSP"] == "TRANSPARENT"


@pytest.mark.parametrize(
    ("columns", "rule"),
    [
        ({"recurrence": "FREQ=WEEKLY;BYDAY=MO;COUNT=5", "occurrence": 3}, "FREQ=WEEKLY;COUNT=3;BYDAY=MO"),
        ({"recurrence": "FREQ=MONTHLY", "occurrence": 40}, "FREQ=MONTHLY"),
        ({"recurrence": "FREQ=DAILY;UNTIL=20270710"}, "FREQ=DAILY;UNTIL=20270710T215959Z"),
        ({"recurrence": "FREQ=DAILY;UNTIL=20270710T120000", "due_on": date(2027, 7, 1)}, "FREQ=DAILY;UNTIL=20270710"),
    ],
)
async def test_a_series_goes_on_from_the_one_that_is_open(
    client: Client, rep: Actor, lead: Lead, columns: dict[str, Any], rule: str
) -> None:
    await planned(rep, lead, due_at=datetime(2027, 7, 1, 7, 30, tzinfo=UTC), **columns)

    [event] = await events(client, await path_of(rep))

    assert event["RRULE"].to_ical().decode() == rule


async def test_the_zones_that_are_named_are_described(client: Client, rep: Actor, lead: Lead) -> None:
    await planned(rep, lead)

    calendar = Calendar.from_ical((await client.http.get(await path_of(rep))).content)

    assert [zone["TZID"] for zone in calendar.walk("VTIMEZONE")] == [BERLIN]


async def test_what_its_owner_no_longer_sees_is_left_out(client: Client, rep: Actor, lead: Lead) -> None:
    other = await factories.member(Role.REP, of=rep)
    path = await path_of(rep)
    await planned(rep, lead)
    gone = await factories.lead_in(await factories.stage(rep, StageKind.QUALIFY), owner_id=rep.user_id, deleted=True)
    await planned(rep, gone)
    assert len(await events(client, path)) == 1

    admin = await factories.member(Role.ADMIN, of=rep)
    await workspaces.update(admin, role_visibility={Role.REP: Visibility.OWN}, now=NOW)
    await Lead.filter(id=lead.id).update(owner_id=other.user_id)

    assert await events(client, path) == []


async def test_an_app_that_has_it_already_is_told_that_nothing_changed(client: Client, rep: Actor, lead: Lead) -> None:
    made = await planned(rep, lead)
    path = await path_of(rep)
    etag = (await client.http.get(path)).headers["etag"]

    again = await client.http.get(path, headers={"If-None-Match": etag})
    await FollowUp.filter(id=made.id).update(title="Call them back", version=2)
    changed = await client.http.get(path, headers={"If-None-Match": f'W/{etag}, "other"'})

    assert (again.status_code, again.content) == (304, b"")
    assert changed.status_code == 200 and changed.headers["etag"] != etag
    assert "private" in changed.headers["cache-control"]


async def test_a_revoked_feed_and_one_of_a_former_member_have_ended(client: Client, rep: Actor, lead: Lead) -> None:
    feed = await calendar_feeds.create(rep, name="Phone", now=NOW)
    revoked = "/calendar/" + calendar_feeds.address(feed.id).rpartition("/")[2]
    await calendar_feeds.revoke(rep, feed.id, now=NOW)
    kept = await path_of(rep)
    await Membership.filter(workspace_id=rep.workspace_id, user_id=rep.user_id).update(active=False)

    assert [(await client.http.get(path)).status_code for path in (revoked, kept)] == [410, 410]


async def test_an_address_that_nobody_made_tells_nothing(client: Client, db: str) -> None:
    for token in ("a" * 64, "a", "%00" * 64, "ä" * 64):
        answer = await client.http.get(f"/calendar/{token}.ics")
        assert (answer.status_code, answer.text) == (404, "There is no such calendar: copy its address whole.\n")


async def test_a_feed_is_its_owners_alone(rep: Actor) -> None:
    feed = await calendar_feeds.create(rep, name="Phone", now=NOW)
    admin = await factories.member(Role.ADMIN, of=rep)
    with pytest.raises(NotFound):
        await calendar_feeds.revoke(admin, feed.id, now=NOW)
    with pytest.raises(Forbidden):
        await calendar_feeds.create(await factories.partner("notification:read", of=rep), name="Phone", now=NOW)


async def test_twice_with_an_own_id_is_one_feed_and_there_are_at_most_twenty(rep: Actor) -> None:
    key = uuid7()
    await calendar_feeds.create(rep, name="Phone", id=key, now=NOW)
    with pytest.raises(AlreadyExists):
        await calendar_feeds.create(rep, name="Phone", id=key, now=NOW)
    for _ in range(calendar_feeds.MOST_FEEDS - 1):
        await calendar_feeds.create(rep, name="Phone", now=NOW)
    with pytest.raises(calendar_feeds.TooManyCalendarFeeds):
        await calendar_feeds.create(rep, name="Phone", now=NOW)
    await calendar_feeds.revoke(rep, key, now=NOW)
    await calendar_feeds.create(rep, name="Phone", now=NOW)


async def test_reading_is_kept_once_an_hour(client: Client, rep: Actor) -> None:
    path = await path_of(rep)
    await client.http.get(path)
    first = (await CalendarFeed.get(user_id=rep.user_id)).read_at
    await client.http.get(path)
    assert first and (await CalendarFeed.get(user_id=rep.user_id)).read_at == first
