"""Comments: what people say to each other about leads, companies and contacts.

Who may see one of these may read what is said about it, and comment unless they are a viewer. Whoever comments on a
lead, or is mentioned there, watches it from then on.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import edits, inputs, policy, subjects, users, watching
from domain.actors import Actor, ActorKind
from domain.errors import DomainError, Faults, NotFound, Required
from domain.policy import Action
from domain.subjects import Subject, SubjectKey
from domain.unset import UNSET, Unset
from models.conversations import Comment, CommentMention
from models.database import transaction
from models.leads import Lead
from models.users import Membership

MOST_MENTIONS = 50
UNIQUE = {"comment_pkey": "id"}

# Their facts name the comment and who is newly mentioned, but do not repeat the text: what is deleted is gone.
COMMENTED = subjects.events("commented")
UPDATED = subjects.events("comment_updated")
DELETED = subjects.events("comment_deleted")
RESTORED = subjects.events("comment_restored")


class TooManyMentions(DomainError):
    """A comment mentions at most {limit} people, not {count}."""


class MentionedInactive(DomainError):
    """This user is no active member, so nobody would be told."""


class MentionedUnseeing(DomainError):
    """This user may not see the {noun}, and so not what is said about it."""


async def add(
    actor: Actor,
    key: SubjectKey,
    *,
    text: str,
    mention_ids: Sequence[UUID] = (),
    id: UUID | None = None,
    now: datetime,
) -> Comment:
    """Comment on a lead, a company or a contact, and mention people who may see it.

    Raises NotFound, Forbidden, AlreadyExists (id), and faults of the input: each mention's has its path.
    """
    faults = Faults()
    new, kept = edits.new_id(faults, id), _text(faults, text)
    with edits.collisions("comment", UNIQUE):
        async with transaction():
            subject = await subjects.locked(actor, key)
            policy.require(actor, Action.COMMENT, subject)
            mentioned = await _mentioned(faults, subject, mention_ids)
            faults.raise_any()
            comment = Comment(
                id=new,
                workspace_id=actor.workspace_id,
                user_id=actor.user_id,
                text=kept,
                created_at=now,
                updated_at=now,
                **subjects.columns(key),
            )
            await edits.insert(comment)
            await _mention(subject, comment, mentioned, by=actor, now=now)
            await subjects.tell(COMMENTED, actor, subject, _facts(comment, mentioned), now=now)
    return comment


async def update(
    actor: Actor,
    comment_id: UUID,
    *,
    text: str | Unset | None = UNSET,
    mention_ids: Sequence[UUID] | Unset = UNSET,
    expected_version: int | None = None,
    now: datetime,
) -> Comment:
    """Change one's own comment; only who is newly mentioned is told. Raises NotFound, Stale, Forbidden, and faults."""
    faults = Faults()
    columns = {} if isinstance(text, Unset) else {"text": _text(faults, text)}
    async with transaction():
        subject, comment = await _locked(actor, comment_id, expected_version=expected_version)
        policy.require(actor, Action.UPDATE_COMMENT, comment)
        had = [row.user_id for row in await CommentMention.filter(comment_id=comment.id)]
        wanted = had if isinstance(mention_ids, Unset) else mention_ids
        mentioned = await _mentioned(faults, subject, wanted, had=had)
        faults.raise_any()
        fresh = [key for key in mentioned if key not in had]
        gone = [key for key in had if key not in mentioned]
        changed = await edits.apply(comment, columns, now=now)
        if (fresh or gone) and not changed:
            await edits.raise_version(comment, now=now)
        if fresh or gone or changed:
            if gone:
                await CommentMention.filter(comment_id=comment.id, user_id__in=gone).delete()
            await _mention(subject, comment, fresh, now=now)
            await subjects.tell(UPDATED, actor, subject, _facts(comment, fresh), now=now)
    return comment


async def delete(actor: Actor, comment_id: UUID, *, expected_version: int | None = None, now: datetime) -> Comment:
    """Delete a comment: one's own, or as a manager anybody's. Raises NotFound, Stale, Forbidden."""
    async with transaction():
        subject, comment = await _locked(actor, comment_id, expected_version=expected_version)
        policy.require(actor, Action.DELETE_COMMENT, comment)
        await edits.apply(comment, {"deleted_at": now, "deleted_by_id": actor.user_id}, now=now)
        await subjects.tell(DELETED, actor, subject, _facts(comment), now=now)
    return comment


async def restore(actor: Actor, comment_id: UUID, *, now: datetime) -> Comment:
    """Bring a deleted comment back; one that is not deleted stays as it is. Nobody is told again.

    What a manager has deleted, its author does not bring back. Raises NotFound, Forbidden.
    """
    async with transaction():
        subject, comment = await _locked(actor, comment_id, deleted=True)
        if comment.deleted_at is None:
            policy.require(actor, Action.DELETE_COMMENT, comment)
            return comment
        policy.require(actor, Action.RESTORE_COMMENT, comment)
        await edits.apply(comment, {"deleted_at": None, "deleted_by_id": None}, now=now)
        await subjects.tell(RESTORED, actor, subject, _facts(comment), now=now)
    return comment


async def _locked(
    actor: Actor, comment_id: UUID, *, expected_version: int | None = None, deleted: bool = False
) -> tuple[Subject, Comment]:
    """Return a comment to be edited, with what it is about, which is locked before it."""
    known = await policy.visible(actor, Comment).filter(id=comment_id).first()
    if known is None:
        raise NotFound(noun="comment", field="id")
    subject = await subjects.locked(actor, subjects.key_of(known), field="id")
    comment = await policy.locked(
        actor, Comment, comment_id, expected_version=expected_version, deleted=deleted, field="id"
    )
    return subject, comment


def _text(faults: Faults, given: str | None) -> str:
    kept = inputs.text(faults, given, field="text")
    if kept is None:
        faults.add(Required(field="text"))
    return kept or ""


async def _mentioned(
    faults: Faults, subject: Subject, mention_ids: Sequence[UUID], *, had: Sequence[UUID] = ()
) -> list[UUID]:
    """Check whom a comment mentions and return each once; those whom it mentioned before are not looked at."""
    wanted = list(dict.fromkeys(mention_ids))
    if len(wanted) > MOST_MENTIONS:
        faults.add(TooManyMentions(limit=MOST_MENTIONS, count=len(wanted), field="mentionIds"))
        return []
    fresh = [key for key in wanted if key not in had]
    if not fresh:
        return wanted
    people = await users.members(subject.workspace_id, fresh)
    known = await Membership.filter(workspace_id=subject.workspace_id, user_id__in=fresh).values_list(
        "user_id", flat=True
    )
    for key in fresh:
        field = f"mentionIds.{list(mention_ids).index(key)}"
        if key not in known:
            faults.add(NotFound(noun="user", field=field))
        elif key not in people:
            faults.add(MentionedInactive(field=field))
        elif not subjects.is_seen_by(people[key], subject):
            faults.add(MentionedUnseeing(noun=type(subject).__name__.lower(), field=field))
    return wanted


async def _mention(
    subject: Subject, comment: Comment, user_ids: Sequence[UUID], *, by: Actor | None = None, now: datetime
) -> None:
    """Keep whom a comment mentions; on a lead they watch it from now on, and so does who wrote it."""
    if user_ids:
        await CommentMention.bulk_create(
            CommentMention(workspace_id=comment.workspace_id, comment_id=comment.id, user_id=key) for key in user_ids
        )
    if isinstance(subject, Lead):
        writer = [by.user_id] if by is not None and by.kind is ActorKind.USER and by.user_id else []
        await watching.add(subject, [*writer, *user_ids], now=now)


def _facts(comment: Comment, mentioned: Sequence[UUID] = ()) -> Mapping[str, Any]:
    return {"comment_id": comment.id, "comment_version": comment.version, "mention_ids": list(mentioned)}
