"""Attachments: files on leads, companies and contacts. Who may see one of these may attach files to it.

An upload becomes one attachment and stays as long as that; the bytes of a deleted one stay a while, to be restored.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from domain import edits, files, policy, subjects
from domain.actors import Actor
from domain.errors import DomainError, Faults, NotFound
from domain.events import Event
from domain.policy import Action
from domain.subjects import Subject, SubjectKey, SubjectNoun
from models.attachments import Attachment
from models.companies import Company
from models.contacts import Contact
from models.database import transaction
from models.files import File, UploadPurpose
from models.leads import Lead
from settings import settings

DELETED_KEPT = timedelta(days=30)
UNIQUE = {"attachment_pkey": "id"}
NOTHING: Mapping[str, str] = {}


class LeadFileAttached(Event):
    name = "lead.file_attached"


class LeadFileRenamed(Event):
    name = "lead.file_renamed"


class LeadFileRemoved(Event):
    name = "lead.file_removed"


class LeadFileRestored(Event):
    name = "lead.file_restored"


class CompanyFileAttached(Event):
    name = "company.file_attached"


class CompanyFileRenamed(Event):
    name = "company.file_renamed"


class CompanyFileRemoved(Event):
    name = "company.file_removed"


class CompanyFileRestored(Event):
    name = "company.file_restored"


class ContactFileAttached(Event):
    name = "contact.file_attached"


class ContactFileRenamed(Event):
    name = "contact.file_renamed"


class ContactFileRemoved(Event):
    name = "contact.file_removed"


class ContactFileRestored(Event):
    name = "contact.file_restored"


Told = Mapping[SubjectNoun, type[Event]]
ATTACHED: Told = {Lead: LeadFileAttached, Company: CompanyFileAttached, Contact: ContactFileAttached}
RENAMED: Told = {Lead: LeadFileRenamed, Company: CompanyFileRenamed, Contact: ContactFileRenamed}
REMOVED: Told = {Lead: LeadFileRemoved, Company: CompanyFileRemoved, Contact: ContactFileRemoved}
RESTORED: Told = {Lead: LeadFileRestored, Company: CompanyFileRestored, Contact: ContactFileRestored}


class UploadAttached(DomainError):
    """This upload is attached already: upload the file again to attach it once more."""


class TooManyAttachments(DomainError):
    """At most {limit} files are attached to one lead, company or contact."""


class FileForgotten(DomainError):
    """The bytes of this file are deleted by now: upload it again."""


async def attach(
    actor: Actor,
    subject: SubjectKey,
    upload_id: UUID,
    *,
    name: str | None = None,
    id: UUID | None = None,
    now: datetime,
) -> Attachment:
    """Attach what the actor has uploaded, under its own name unless another is given.

    Raises Forbidden, NotFound, UploadUnfinished, UploadEnded, UploadForOther, UploadAttached, TooManyAttachments,
    AlreadyExists (id), and faults of the input.
    """
    policy.require(actor, Action.ATTACH_FILE)
    faults = Faults()
    key = edits.new_id(faults, id)
    named = None if name is None else files.file_name(faults, name, field="name")
    faults.raise_any()
    with edits.collisions("attachment", UNIQUE):
        async with transaction():
            row = await subjects.locked(actor, subject)
            file = await files.take(actor, upload_id, UploadPurpose.ATTACHMENT, field="uploadId", now=now)
            if await Attachment.exists(file_id=file.id):
                raise UploadAttached(field="uploadId")
            await _forbid_more(subject)
            if named is not None:
                await edits.write(file, {"name": named})
            attachment = Attachment(
                id=key,
                workspace_id=actor.workspace_id,
                **subjects.columns(subject),
                file_id=file.id,
                user_id=actor.user_id,
                name=file.name,
                content_type=file.content_type,
                size=file.size,
                created_at=now,
                updated_at=now,
            )
            await edits.insert(attachment)
            await _tell(ATTACHED, actor, row, attachment, now=now)
    return attachment


async def rename(
    actor: Actor, attachment_id: UUID, name: str, *, expected_version: int | None = None, now: datetime
) -> Attachment:
    """Call an attachment otherwise, also where it is saved; what has gone out under its name stays.

    Raises NotFound, Stale, Forbidden, and faults of the input.
    """
    faults = Faults()
    named = files.file_name(faults, name, field="name")
    async with transaction():
        subject, attachment = await _locked(actor, attachment_id, expected_version=expected_version)
        faults.raise_any()
        if changed := await edits.apply(attachment, {"name": named}, now=now):
            await File.filter(id=attachment.file_id).update(name=named)
            await _tell(RENAMED, actor, subject, attachment, more={"name_before": changed["name"][0]}, now=now)
    return attachment


async def delete(
    actor: Actor, attachment_id: UUID, *, expected_version: int | None = None, now: datetime
) -> Attachment:
    """Delete an attachment; it can be restored for 30 days. Raises NotFound, Stale, Forbidden."""
    async with transaction():
        subject, attachment = await _locked(actor, attachment_id, expected_version=expected_version)
        await edits.apply(attachment, {"deleted_at": now}, now=now)
        if attachment.file_id is not None:
            await files.let_go(attachment.file_id, until=now + DELETED_KEPT)
        await _tell(REMOVED, actor, subject, attachment, now=now)
    return attachment


async def restore(actor: Actor, attachment_id: UUID, *, now: datetime) -> Attachment:
    """Bring a deleted attachment back; one that is not deleted stays as it is.

    Raises NotFound, Forbidden, TooManyAttachments, FileForgotten.
    """
    async with transaction():
        subject, attachment = await _locked(actor, attachment_id, deleted=True)
        if attachment.deleted_at is not None:
            await _forbid_more(subjects.key_of(attachment))
            if attachment.file_id is None or not await files.keep(attachment.file_id, now=now):
                raise FileForgotten(field="id")
            await edits.apply(attachment, {"deleted_at": None}, now=now)
            await _tell(RESTORED, actor, subject, attachment, now=now)
    return attachment


async def _locked(
    actor: Actor, attachment_id: UUID, *, expected_version: int | None = None, deleted: bool = False
) -> tuple[Subject, Attachment]:
    """Return an attachment to be edited, and what it hangs on, locked before it."""
    known = await policy.visible(actor, Attachment).filter(id=attachment_id).first()
    if known is None:
        raise NotFound(noun="attachment", field="id")
    subject = await subjects.locked(actor, subjects.key_of(known), field="id")
    attachment = await policy.locked(
        actor, Attachment, attachment_id, expected_version=expected_version, deleted=deleted
    )
    policy.require(actor, Action.DELETE_ATTACHMENT, attachment)
    return subject, attachment


async def _forbid_more(subject: SubjectKey) -> None:
    most = settings().max_attachments
    if await Attachment.filter(**{subjects.COLUMNS[subject.noun]: subject.id}, deleted_at=None).count() >= most:
        raise TooManyAttachments(limit=most, field="subjectId")


async def _tell(
    events: Told,
    actor: Actor,
    subject: Subject,
    attachment: Attachment,
    *,
    more: Mapping[str, str] = NOTHING,
    now: datetime,
) -> None:
    facts = {"attachment_id": attachment.id, "name": attachment.name, "size": attachment.size, **more}
    await subjects.tell(events, actor, subject, facts, now=now)
