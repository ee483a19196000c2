"""Users of a file: people who own leads before they ever sign in, in their teams."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any
from uuid import UUID

from domain import events, policy, teams
from domain.actors import Actor
from domain.events import changes
from domain.imports import names
from domain.imports.keys import new_key
from domain.imports.mapping import ImportMapping, Missing
from domain.imports.rows import Row
from domain.imports.taking import Taking
from domain.policy import Action
from domain.users import UserUpdated
from models.users import Membership, User


class UsersImport:
    """Takes chunks of users, who own leads but cannot sign in until they are invited."""

    noun = User

    def __init__(self, mapping: ImportMapping) -> None:
        self._mapping = mapping

    @classmethod
    async def bind(cls, actor: Actor, mapping: ImportMapping, zone: tzinfo) -> "UsersImport":
        policy.require(actor, Action.MANAGE_USERS)
        policy.require(actor, Action.MANAGE_TEAMS)
        return cls(mapping)

    async def take(self, taking: Taking, rows: Sequence[Row]) -> None:
        """Take a chunk's rows: a member of the same name or address is adopted, others are created."""
        known = await taking.known(rows)
        new, changed = taking.sort_out(rows, known)
        if not (new or changed):
            return
        await teams.lock_members(taking.workspace_id)
        fresh, adopted = await self._match(taking, new)
        await names.add_users(taking, [_person(row, key) for row, key in fresh])
        await taking.refer([*fresh, *adopted])
        taking.created += len(fresh)
        for row, key in adopted:
            await self._edit(taking, row, key, ["team"] if row.values.get("team") else [])
        for row in changed:
            seen = known[row.external_id]
            await self._edit(
                taking, row, seen.subject_id, taking.fingerprints.changed(seen.fingerprint, row.fingerprint)
            )
        await taking.remember(changed)
        await taking.write_events()

    async def _match(
        self, taking: Taking, rows: Sequence[Row]
    ) -> tuple[list[tuple[Row, UUID]], list[tuple[Row, UUID]]]:
        """Return the rows of new users and those of members whom nobody else in the file claims."""
        by_name = await names.owners(taking, (row.values.get("name") for row in rows), Missing.EMPTY)
        addresses = [email for row in rows if (email := (row.values.get("email") or (None, None))[1])]
        accounts = {row["email"]: row for row in await taking.fetch(ACCOUNTS, taking.workspace_id, addresses)}
        fresh: list[tuple[Row, UUID]] = []
        adopted: list[tuple[Row, UUID]] = []
        used: set[UUID | str] = {
            *await taking.claimed([*by_name.keys.values(), *(row["id"] for row in accounts.values())])
        }
        for row in rows:
            email = (row.values.get("email") or (None, None))[1]
            account = accounts.get(email) if email else None
            key = account["id"] if account else by_name.key(row.values["name"])
            if (account and not account["is_member"]) or (email and email in used):
                reason = "Somebody else signs in with this address: invite them instead."
                taking.skip(row, taking.fault(row, "email", reason))
            elif key is not None and key not in used:
                adopted.append((row, key))
                used.add(key)
            else:
                fresh.append((row, new_key()))
            if email:
                used.add(email)
        return fresh, adopted

    async def _edit(self, taking: Taking, row: Row, key: UUID, said: Sequence[str]) -> None:
        """Change what the file says otherwise of a member's place, and of an account nobody signs in with."""
        membership = await Membership.get_or_none(workspace_id=taking.workspace_id, user_id=key)
        user = await User.get_or_none(id=key)
        if membership is None or user is None:
            taking.unchanged += 1
            return
        place: dict[str, Any] = {}
        if {"team", "team_within"} & {*said} and row.values.get("team"):
            pair = (row.values["team"], row.values.get("team_within"))
            place["team_id"] = (await names.team_keys(taking, [pair]))[names.team_pair(*pair)]
        if "role" in said and row.values.get("role") and not membership.active:
            place["role"] = row.values["role"]
        account: dict[str, Any] = {"name": row.values["name"]} if "name" in said and user.password_hash is None else {}
        differ = changes({name: getattr(membership, name) for name in place}, place)
        differ |= changes({name: getattr(user, name) for name in account}, account)
        if not differ:
            taking.unchanged += 1
            return
        if place:
            await Membership.filter(id=membership.id).update(**place)
            await teams.memberships_change(taking.workspace_id)
        version = user.version + 1
        await User.filter(id=key).update(**account, version=version, updated_at=taking.now)
        facts = {"changes": differ, "version": version, "bulk": True}
        await events.record(UserUpdated(taking.actor, key, facts), now=taking.now)
        taking.updated += 1


ACCOUNTS = """
SELECT user_account.id, email_normalised AS email, member.id IS NOT NULL AS is_member
FROM user_account LEFT JOIN membership AS member ON member.user_id = user_account.id AND member.workspace_id = $1
WHERE email_normalised = ANY($2)
"""


def _person(row: Row, key: UUID) -> dict[str, Any]:
    return {"id": key, **{name: row.values.get(name) for name in ("name", "email", "role", "team", "team_within")}}
