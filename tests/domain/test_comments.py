"""Comments: written by who may see what they are about, changed by their author, gone for all when deleted."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from domain import comments, companies, contacts, leads, watching
from domain.actors import Actor
from domain.comments import MOST_MENTIONS, MentionedInactive, MentionedUnseeing, TooManyMentions
from domain.companies import CompanyDetails
from domain.contacts import ContactDetails
from domain.errors import AlreadyExists, DomainError, Forbidden, Invalid, NotFound, Required, Stale, TooLong
from domain.subjects import SubjectKey
from domain.watching import MOST_WATCHERS, TooManyWatchers
from models.base import uuid7
from models.companies import Company
from models.contacts import Contact
from models.conversations import Comment, CommentMention, LeadWatcher
from models.events import Event
from models.leads import Lead
from models.users import Membership, Role
from tests.factories import NOW, lead, member, partner, seller, user

LATER = NOW + timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("db")


def on(row: Lead | Company | Contact) -> SubjectKey:
    return SubjectKey(type(row), row.id)


def of(*actors: Actor) -> list[UUID]:
    return [actor.user_id for actor in actors if actor.user_id]


async def mentioned(comment: Comment) -> set[UUID]:
    return {row.user_id for row in await CommentMention.filter(comment_id=comment.id)}


async def watchers(row: Lead) -> set[UUID]:
    return {one.user_id for one in await LeadWatcher.filter(lead_id=row.id)}


async def test_a_comment_is_written_changed_deleted_and_restored() -> None:
    actor, key = await seller(), uuid7()
    row = await lead(actor)
    text = "<b>Roof</b> & *barn*\n<script>alert(1)</script>"

    made = await comments.add(actor, on(row), text=f" {text} ", id=key, now=NOW)
    edited = await comments.update(actor, key, text="Roof", expected_version=1, now=LATER)
    same = await comments.update(actor, key, text="Roof", now=LATER)
    deleted = await comments.delete(actor, key, expected_version=2, now=LATER)
    with pytest.raises(NotFound):
        await comments.update(actor, key, text="Barn", now=LATER)
    restored = await comments.restore(actor, key, now=LATER)
    standing = await comments.restore(actor, key, now=LATER)

    assert (made.text, made.lead_id, made.company_id, made.user_id) == (text, row.id, None, actor.user_id)
    assert (edited.version, same.version, edited.updated_at) == (2, 2, LATER)
    assert (deleted.deleted_at, restored.deleted_at, restored.deleted_by_id, standing.version) == (LATER, None, None, 4)
    told = await Event.filter(subject_id=row.id, name__startswith="lead.comment").order_by("id")
    verbs = ("commented", "comment_updated", "comment_deleted", "comment_restored")
    assert [event.name for event in told] == [f"lead.{verb}" for verb in verbs]
    assert {event.data["comment_id"] for event in told} == {str(key)}
    assert all(event.data["before"] == event.data["after"] and not event.data["changes"] for event in told)
    assert not any("Roof" in str(event.data) for event in told)
    assert (await Lead.get(id=row.id)).version == row.version


async def test_a_company_and_a_contact_are_commented_on() -> None:
    actor = await seller()
    company = await companies.create(actor, CompanyDetails(name="Acme"), now=NOW)
    contact = await contacts.create(actor, ContactDetails(name="Ann"), now=NOW)

    for subject, column in ((company, "company_id"), (contact, "contact_id")):
        made = await comments.add(actor, on(subject), text="Call them", now=NOW)
        [event] = await Event.filter(subject_id=subject.id, name__endswith=".commented")
        assert getattr(made, column) == subject.id and made.lead_id is None
        assert (event.name, "after" in event.data) == (f"{column.removesuffix('_id')}.commented", False)


async def test_every_fault_is_reported_at_once() -> None:
    actor = await seller()
    row, stranger = await lead(actor), await user()
    away = await member(Role.REP, of=actor, active=False)
    blind = await member(Role.REP, of=actor)

    with pytest.raises(Invalid) as caught:
        await comments.add(
            actor,
            on(row),
            text="x" * 20_001,
            mention_ids=[stranger.id, *of(away, blind, actor)],
            id=UUID(int=4),
            now=NOW,
        )
    faults = {(type(fault), fault.field) for fault in caught.value.faults}
    assert {kind for kind, field in faults if field == ("id",)}
    assert faults >= {
        (TooLong, ("text",)),
        (NotFound, ("mentionIds", "0")),
        (MentionedInactive, ("mentionIds", "1")),
        (MentionedUnseeing, ("mentionIds", "2")),
    }
    assert len(faults) == 5
    with pytest.raises(Required):
        await comments.add(actor, on(row), text=" \n ", now=NOW)
    many = [(await member(of=actor)).user_id for _ in range(2)] * MOST_MENTIONS
    await comments.add(actor, on(row), text="Twice", mention_ids=[key for key in many if key], now=NOW)
    with pytest.raises(TooManyMentions):
        await comments.add(actor, on(row), text="All", mention_ids=[uuid7() for _ in range(51)], now=NOW)
    assert await Comment.filter(lead_id=row.id).count() == 1


async def test_a_lead_that_one_may_not_see_cannot_be_commented_on_nor_its_comments_touched() -> None:
    admin, stranger = await seller(), await seller()
    rep, viewer = await member(Role.REP, of=admin), await member(Role.VIEWER, of=admin)
    row = await lead(admin)
    made = await comments.add(admin, on(row), text="Ours", now=NOW)

    for actor in (rep, stranger):
        with pytest.raises(NotFound) as lacking:
            await comments.add(actor, on(row), text="Mine", now=NOW)
        assert lacking.value.field == ("subjectId",)
        for attempt in (comments.update, comments.delete, comments.restore):
            with pytest.raises(NotFound):
                await attempt(actor, made.id, now=NOW)
    with pytest.raises(Forbidden):
        await comments.add(viewer, on(row), text="Seen", now=NOW)
    await leads.delete(admin, row.id, now=NOW)
    with pytest.raises(NotFound):
        await comments.add(admin, on(row), text="Late", now=NOW)
    with pytest.raises(NotFound):
        await comments.update(admin, made.id, text="Late", now=NOW)


async def test_only_authors_change_and_managers_delete_what_others_wrote() -> None:
    admin = await seller()
    author, other = await member(Role.QUALIFIER, of=admin), await member(Role.QUALIFIER, of=admin)
    row = await lead(admin)
    made = await comments.add(author, on(row), text="Mine", now=NOW)

    refused: list[DomainError] = []
    for attempt in (
        comments.update(admin, made.id, text="Not mine", now=NOW),
        comments.update(other, made.id, text="Not mine", now=NOW),
        comments.delete(other, made.id, now=NOW),
        comments.update(author, made.id, text="Older", expected_version=7, now=NOW),
    ):
        with pytest.raises((Forbidden, Stale)) as caught:
            await attempt
        refused.append(caught.value)
    assert [type(error) for error in refused] == [Forbidden, Forbidden, Forbidden, Stale]

    await comments.delete(author, made.id, now=NOW)
    assert (await comments.restore(author, made.id, now=NOW)).deleted_at is None
    await comments.delete(admin, made.id, now=NOW)
    with pytest.raises(Forbidden):
        await comments.restore(author, made.id, now=NOW)
    assert (await comments.restore(admin, made.id, now=NOW)).deleted_at is None


async def test_an_edit_tells_of_those_whom_it_mentions_anew_and_forgives_those_who_left() -> None:
    admin = await seller()
    old, gone, new = [await member(Role.QUALIFIER, of=admin) for _ in range(3)]
    row = await lead(admin)
    made = await comments.add(admin, on(row), text="Look", mention_ids=of(old, gone), now=NOW)
    await member_leaves(old)

    edited = await comments.update(admin, made.id, mention_ids=of(old, new), now=LATER)
    same = await comments.update(admin, made.id, mention_ids=of(new, old), now=LATER)
    cleared = await comments.update(admin, made.id, mention_ids=[], now=LATER)

    first, second, third = await Event.filter(subject_id=row.id, name__startswith="lead.comment").order_by("id")
    assert first.data["mention_ids"] == list(map(str, of(old, gone)))
    assert second.data["mention_ids"] == list(map(str, of(new)))
    assert third.data["mention_ids"] == []
    assert (edited.version, same.version, cleared.version) == (2, 2, 3)
    assert await mentioned(cleared) == set()


async def member_leaves(actor: Actor) -> None:
    await Membership.filter(user_id=actor.user_id, workspace_id=actor.workspace_id).update(active=False)


async def test_who_comments_or_is_mentioned_watches_the_lead_and_a_partner_does_not() -> None:
    admin = await seller()
    friend = await member(Role.QUALIFIER, of=admin)
    row = await lead(admin)
    key = await partner("lead:read", "comment:read", "comment:write", of=admin)

    await comments.add(key, on(row), text="From outside", now=NOW)
    assert await watchers(row) == set()
    await comments.add(admin, on(row), text="Look", mention_ids=of(friend), now=NOW)
    assert await watchers(row) == set(of(admin, friend))
    await watching.unwatch(friend, row.id, now=NOW)
    await comments.add(admin, on(row), text="Once more", now=NOW)
    assert await watchers(row) == set(of(admin))


async def test_the_same_comment_sent_twice_at_once_is_one() -> None:
    actor, key = await seller(), uuid7()
    row = await lead(actor)

    outcomes = await asyncio.gather(
        *(comments.add(actor, on(row), text="Once", mention_ids=of(actor), id=key, now=NOW) for _ in range(4)),
        return_exceptions=True,
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["AlreadyExists"] * 3 + ["Comment"]
    assert {type(outcome) for outcome in outcomes} == {AlreadyExists, Comment}
    assert await Comment.filter(lead_id=row.id).count() == await CommentMention.filter(comment_id=key).count() == 1
    assert await Event.filter(subject_id=row.id, name="lead.commented").count() == 1


async def test_edits_and_a_deletion_at_once_leave_one_story() -> None:
    actor = await seller()
    row, friend = await lead(actor), await member(of=actor)
    made = await comments.add(actor, on(row), text="First", now=NOW)

    outcomes = await asyncio.gather(
        *(comments.update(actor, made.id, text=f"{n}", mention_ids=of(friend), now=NOW) for n in range(5)),
        comments.delete(actor, made.id, now=NOW),
        return_exceptions=True,
    )

    done = [outcome for outcome in outcomes if isinstance(outcome, Comment)]
    assert {type(outcome) for outcome in outcomes} <= {Comment, NotFound}
    left = await Comment.get(id=made.id)
    assert left.deleted_at is not None and left.version == len(done) + 1
    versions = [
        event.data["comment_version"]
        for event in await Event.filter(subject_id=row.id, name__startswith="lead.comment").order_by("id")
    ]
    assert versions == list(range(1, left.version + 1))


class TestWatching:
    async def test_it_is_told_once_whatever_is_repeated(self) -> None:
        actor = await seller()
        row = await lead(actor)

        for _ in range(2):
            await watching.watch(actor, row.id, now=NOW)
        assert await watching.watched(actor, [row.id, uuid7()]) == {row.id}
        for _ in range(2):
            await watching.unwatch(actor, row.id, now=NOW)

        assert await watching.watched(actor, [row.id]) == frozenset()
        told = await Event.filter(subject_id=row.id, name__endswith="watched").order_by("id")
        assert [event.name for event in told] == ["lead.watched", "lead.unwatched"]

    async def test_what_one_does_not_see_one_does_not_watch(self) -> None:
        admin = await seller()
        rep, viewer = await member(Role.REP, of=admin), await member(Role.VIEWER, of=admin)
        row = await lead(admin)

        with pytest.raises(NotFound) as lacking:
            await watching.watch(rep, row.id, now=NOW)
        assert lacking.value.field == ("leadId",)
        await watching.watch(viewer, row.id, now=NOW)
        assert await watchers(row) == set(of(viewer))

    async def test_a_lead_has_so_many_watchers_and_no_more_even_at_once(self) -> None:
        admin = await seller()
        row = await lead(admin)
        people = [await user() for _ in range(MOST_WATCHERS - 1)]
        await LeadWatcher.bulk_create(
            LeadWatcher(workspace_id=admin.workspace_id, lead_id=row.id, user_id=one.id, created_at=NOW)
            for one in people
        )
        crowd = [await member(Role.QUALIFIER, of=admin) for _ in range(3)]

        outcomes = await asyncio.gather(
            *(watching.watch(one, row.id, now=NOW) for one in crowd), return_exceptions=True
        )

        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Lead", "TooManyWatchers", "TooManyWatchers"]
        assert len(await watchers(row)) == MOST_WATCHERS
        made = await comments.add(admin, on(row), text="Full", mention_ids=of(*crowd), now=NOW)
        assert await mentioned(made) == set(of(*crowd))
        assert len(await watchers(row)) == MOST_WATCHERS
        with pytest.raises(TooManyWatchers):
            await watching.watch(admin, row.id, now=NOW)
