"""Attachments: an upload hangs on one lead, company or contact, by whoever sees it, and stays as long as that."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import attachments, companies, contacts, files, leads
from domain.actors import Actor
from domain.attachments import DELETED_KEPT, FileForgotten, TooManyAttachments, UploadAttached
from domain.companies import CompanyDetails
from domain.contacts import ContactDetails
from domain.errors import AlreadyExists, Forbidden, Malformed, NotFound, Stale, TooLong
from domain.files import UploadEnded, UploadForOther, UploadUnfinished
from domain.subjects import SubjectKey
from models.attachments import Attachment
from models.base import uuid7
from models.companies import Company
from models.contacts import Contact
from models.files import File, FileChunk, UploadPurpose
from models.leads import Lead
from models.users import Role
from settings import settings
from tests.factories import NOW, events, lead, member, seller, upload
from workers.tasks.forgetting import forget_files

LATER = NOW + timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("db")


async def on_lead(actor: Actor) -> SubjectKey:
    return SubjectKey(Lead, (await lead(actor)).id)


async def attached(actor: Actor, subject: SubjectKey, **more: Any) -> Attachment:
    return await attachments.attach(actor, subject, (await upload(actor)).id, now=NOW, **more)


@pytest.mark.parametrize("noun", [Lead, Company, Contact])
async def test_a_file_is_attached_removed_and_restored(noun: Any) -> None:
    actor, key = await seller(), uuid7()
    hangs_on: dict[Any, UUID] = {
        Lead: (await lead(actor)).id,
        Company: (await companies.create(actor, CompanyDetails(name="Acme"), now=NOW)).id,
        Contact: (await contacts.create(actor, ContactDetails(name="Ann"), now=NOW)).id,
    }
    subject = SubjectKey(noun, hangs_on[noun])
    staged = await upload(actor, b"%PDF-1.7", name="offer.pdf", content_type="text/html")

    made = await attachments.attach(actor, subject, staged.id, name=" Our offer.pdf ", id=key, now=NOW)
    kept = await File.get(id=staged.id)
    gone = await attachments.delete(actor, key, expected_version=1, now=LATER)
    with pytest.raises(NotFound):
        await attachments.delete(actor, key, now=LATER)
    ending = await File.get(id=staged.id)
    back = await attachments.restore(actor, key, now=LATER)
    standing = await attachments.restore(actor, key, now=LATER)

    assert (made.name, made.content_type, made.size, made.user_id) == (
        *("Our offer.pdf", "application/pdf", 8),
        actor.user_id,
    )
    assert {made.lead_id, made.company_id, made.contact_id} == {None, subject.id}
    assert (kept.name, kept.expires_at, ending.expires_at) == ("Our offer.pdf", None, LATER + DELETED_KEPT)
    assert (gone.deleted_at, back.deleted_at, standing.version) == (LATER, None, 3)
    assert (await File.get(id=staged.id)).expires_at is None
    name = noun.__name__.lower()
    told = [event for event in await events(subject.id) if "file_" in event.name]
    assert [event.name for event in told] == [f"{name}.file_{verb}" for verb in ("attached", "removed", "restored")]
    assert {event.data["attachment_id"] for event in told} == {str(key)}
    assert all(("before" in event.data) is (noun is Lead) for event in told)


async def test_a_file_is_no_edit_of_its_lead() -> None:
    actor = await seller()
    row = await lead(actor)

    await attached(actor, SubjectKey(Lead, row.id))

    same = await Lead.get(id=row.id)
    assert (same.version, same.updated_at, same.last_activity_at) == (row.version, row.updated_at, row.last_activity_at)
    [event] = [event for event in await events(row.id) if event.name == "lead.file_attached"]
    assert event.data["before"] == event.data["after"]


async def test_an_upload_is_attached_once() -> None:
    actor = await seller()
    subject, other = await on_lead(actor), await on_lead(actor)
    staged = await upload(actor)
    made = await attachments.attach(actor, subject, staged.id, now=NOW)

    for again in (subject, other):
        with pytest.raises(UploadAttached):
            await attachments.attach(actor, again, staged.id, now=NOW)
    await attachments.delete(actor, made.id, now=NOW)
    with pytest.raises(UploadAttached):
        await attachments.attach(actor, subject, staged.id, now=NOW)
    with pytest.raises(AlreadyExists):
        await attachments.attach(actor, subject, (await upload(actor)).id, id=made.id, now=NOW)
    assert await Attachment.filter(workspace_id=actor.workspace_id).count() == 1


async def test_of_an_upload_that_is_attached_by_several_at_once_one_stays() -> None:
    actor = await seller()
    subjects = [await on_lead(actor) for _ in range(3)]
    staged = await upload(actor)

    told = await asyncio.gather(
        *(attachments.attach(actor, subject, staged.id, now=NOW) for subject in [*subjects, *subjects]),
        return_exceptions=True,
    )

    assert [type(one) for one in told].count(Attachment) == 1
    assert [type(one) for one in told].count(UploadAttached) == 5
    assert await Attachment.filter(file_id=staged.id).count() == 1


async def test_what_others_uploaded_does_not_exist() -> None:
    admin, stranger = await seller(), await seller()
    colleague = await member(Role.REP, of=admin)
    subject = await on_lead(admin)

    for other in (colleague, stranger):
        with pytest.raises(NotFound) as refused:
            await attachments.attach(admin, subject, (await upload(other)).id, now=NOW)
        assert refused.value.field == ("uploadId",)
    with pytest.raises(NotFound):
        await attachments.attach(admin, subject, uuid7(), now=NOW)


async def test_an_upload_must_have_come_in_time_and_for_this() -> None:
    actor = await seller()
    subject = await on_lead(actor)
    announced = await files.create_upload(actor, name="a", size=1, purpose=UploadPurpose.ATTACHMENT, now=NOW)
    staged = await upload(actor)

    with pytest.raises(UploadUnfinished):
        await attachments.attach(actor, subject, announced.id, now=NOW)
    with pytest.raises(UploadEnded):
        await attachments.attach(actor, subject, announced.id, now=NOW + files.LINK_LASTS)
    with pytest.raises(UploadEnded):
        await attachments.attach(actor, subject, staged.id, now=NOW + files.KEPT)
    for purpose in (UploadPurpose.IMPORT, UploadPurpose.AVATAR):
        with pytest.raises(UploadForOther):
            await attachments.attach(actor, subject, (await upload(actor, purpose=purpose)).id, now=NOW)
    assert await Attachment.filter(workspace_id=actor.workspace_id).count() == 0
    assert (await File.get(id=staged.id)).expires_at == NOW + files.KEPT


@pytest.mark.parametrize(
    ("name", "fault"),
    [("x" * 300, TooLong), ("offer\nof.pdf", Malformed), ("offer\u202efdp.exe", Malformed), ("a\x00b", Malformed)],
)
async def test_names_that_mislead_or_are_too_long_are_refused(name: str, fault: type[Exception]) -> None:
    actor = await seller()

    with pytest.raises(fault):
        await attached(actor, await on_lead(actor), name=name)


@pytest.mark.parametrize("name", ['größe "1".pdf', "عرض.pdf", "../../etc/passwd", "x" * 255])
async def test_odd_names_are_kept_as_given(name: str) -> None:
    actor = await seller()

    assert (await attached(actor, await on_lead(actor), name=name)).name == name


async def test_only_so_many_files_hang_on_one(monkeypatch: pytest.MonkeyPatch) -> None:
    few = settings().model_copy(update={"max_attachments": 2})
    monkeypatch.setattr(attachments, "settings", lambda: few)
    actor = await seller()
    subject, other = await on_lead(actor), await on_lead(actor)
    uploads = [await upload(actor) for _ in range(5)]

    told = await asyncio.gather(
        *(attachments.attach(actor, subject, staged.id, now=NOW) for staged in uploads), return_exceptions=True
    )
    made = [one for one in told if isinstance(one, Attachment)]

    assert [type(one) for one in told].count(TooManyAttachments) == 3
    await attached(actor, other)
    await attachments.delete(actor, made[0].id, now=NOW)
    await attached(actor, subject)
    with pytest.raises(TooManyAttachments):
        await attachments.restore(actor, made[0].id, now=NOW)


async def test_who_sees_the_lead_attaches_and_who_attached_removes() -> None:
    admin = await seller()
    rep, other = await member(Role.REP, of=admin), await member(Role.REP, of=admin)
    qualifier, viewer = await member(Role.QUALIFIER, of=admin), await member(Role.VIEWER, of=admin)
    row = await lead(admin)
    await leads.assign(admin, row.id, rep.user_id, now=NOW)
    subject = SubjectKey(Lead, row.id)

    with pytest.raises(NotFound):
        await attached(other, subject)
    staged = await upload(admin)
    await File.filter(id=staged.id).update(user_id=viewer.user_id)
    with pytest.raises(Forbidden):
        await attachments.attach(viewer, subject, staged.id, now=NOW)
    by_rep, by_qualifier = await attached(rep, subject), await attached(qualifier, subject)
    with pytest.raises(Forbidden):
        await attachments.delete(rep, by_qualifier.id, now=NOW)
    with pytest.raises(NotFound):
        await attachments.delete(other, by_rep.id, now=NOW)
    with pytest.raises(Stale):
        await attachments.delete(rep, by_rep.id, expected_version=2, now=NOW)
    await attachments.delete(rep, by_rep.id, now=NOW)
    await attachments.delete(admin, by_qualifier.id, now=NOW)


async def test_nothing_is_attached_to_what_is_deleted() -> None:
    actor = await seller()
    subject = await on_lead(actor)
    made = await attached(actor, subject)
    await leads.delete(actor, subject.id, now=NOW)

    with pytest.raises(NotFound):
        await attached(actor, subject)
    with pytest.raises(NotFound):
        await attachments.delete(actor, made.id, now=NOW)
    await leads.restore(actor, subject.id, now=NOW)
    await attachments.delete(actor, made.id, now=NOW)


async def test_bytes_stay_as_long_as_their_attachment_and_a_while_longer() -> None:
    actor = await seller()
    subject = await on_lead(actor)
    kept, gone = await attached(actor, subject), await attached(actor, subject)
    unused = await upload(actor)
    await attachments.delete(actor, gone.id, now=NOW)

    await forget_files(now=NOW + DELETED_KEPT - timedelta(seconds=1))
    assert not await File.filter(id=unused.id).exists()
    assert await FileChunk.filter(file_id=gone.file_id).exists()
    await attachments.restore(actor, gone.id, now=NOW + DELETED_KEPT - timedelta(seconds=1))
    await forget_files(now=NOW + 2 * DELETED_KEPT)
    assert await FileChunk.filter(file_id=gone.file_id).exists()

    await attachments.delete(actor, gone.id, now=NOW)
    with pytest.raises(FileForgotten):
        await attachments.restore(actor, gone.id, now=NOW + DELETED_KEPT)
    await forget_files(now=NOW + DELETED_KEPT)

    assert not await FileChunk.filter(file_id=gone.file_id).exists()
    assert (await Attachment.get(id=gone.id)).file_id is None
    with pytest.raises(FileForgotten):
        await attachments.restore(actor, gone.id, now=NOW)
    assert await FileChunk.filter(file_id=kept.file_id).exists()


async def test_what_is_restored_while_files_are_forgotten_is_there_or_refused() -> None:
    actor = await seller()
    subject = await on_lead(actor)
    made = [await attached(actor, subject) for _ in range(8)]
    for one in made:
        await attachments.delete(actor, one.id, now=NOW)
    moment = NOW + DELETED_KEPT

    told = await asyncio.gather(
        forget_files(now=moment),
        *(attachments.restore(actor, one.id, now=moment - timedelta(seconds=1)) for one in made),
        return_exceptions=True,
    )

    for one, said in zip(made, told[1:], strict=True):
        row = await Attachment.get(id=one.id)
        assert isinstance(said, FileForgotten) is (row.deleted_at is not None), said
        assert await FileChunk.filter(file_id=one.file_id).exists() is (row.deleted_at is None)
