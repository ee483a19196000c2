"""Writes docs/settings.md, docs/errors.md and docs/permissions.md from the code: `python -m docs.reference`."""

from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

from domain.actors import Actor, ActorKind
from domain.errors import all_errors
from domain.policy import API_SCOPES, DEFAULT_VISIBILITY, Action, may
from models.users import Role
from settings import Settings

HERE = Path(__file__).parent


def settings_page() -> str:
    """Return the page of all settings."""
    lines = [
        "# Settings",
        "",
        "Environment variables, read once when a process starts. Written by `make docs` from `settings.py`.",
        "",
        "| variable | default | what it is |",
        "| --- | --- | --- |",
    ]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in ("", None) else f"`{field.default}`"
        lines.append(f"| `{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def errors_page() -> str:
    """Return the page of all reasons to refuse."""
    import schema.errors  # noqa: F401  (imports every module of the domain)

    lines = [
        "# Errors",
        "",
        "What a person can mend is in a payload's `userErrors{code message field}`; the rest is top-level, with the",
        "code in `errors[].extensions.code`. Words in braces are filled in. Written by `make docs` from the code.",
        "",
        "Top-level codes: `UNAUTHENTICATED`, `FORBIDDEN`, `BAD_USER_INPUT`, `RATE_LIMITED` (with `retryAfter` in",
        "seconds), `COST_EXCEEDED`, `PERSISTED_QUERY_NOT_FOUND` (send the document once, beside its hash),",
        "`TRUSTED_DOCUMENT_NOT_FOUND` (deploy it to the server first), `NOT_FOUND` (of a subscription to a pipeline,",
        "lead, import or work on many that is not there or may not be seen), `IDEMPOTENCY_MISMATCH`, `CONFLICT`,",
        "`TIMEOUT` and `INTERNAL` (with `requestId`, to be found in the server's log).",
        "",
        "| code | message |",
        "| --- | --- |",
    ]
    for error in all_errors():
        message = " ".join((error.__doc__ or "").split()).replace("|", "\\|")
        lines.append(f"| `{error.code}` | {message} |")
    return "\n".join(lines) + "\n"


def permissions_page() -> str:
    """Return the page of who may do what, and of what API keys can be given."""
    lines = [
        "# Permissions",
        "",
        "Who may do what stands in `domain/policy.py`; this page is written from it by `make docs`. **yes**: all that",
        "they may see; **own**: what they own, or of activities and comments what they did or wrote, or of follow-ups",
        "what they planned, or what is on a lead of theirs; empty: no.",
        "",
        "| action | " + " | ".join(role.value for role in Role) + " |",
        "| --- |" + " --- |" * len(Role),
    ]
    for action in Action:
        lines.append(f"| `{action.value}` | " + " | ".join(_may(role, action) for role in Role) + " |")
    shown = ", ".join(f"{role.value} {seen.value}" for role, seen in DEFAULT_VISIBILITY.items())
    lines += [
        "",
        f"Which leads exist for a role: {shown}.",
        "`updateWorkspace` changes it. TEAM is the member's team and its sub-teams; OWN is what the member owns.",
        "Activities exist where their lead does, and for all where they have none. Hand-overs exist besides for",
        "those who gave or received them, and for those who see these people's leads.",
        "Companies, contacts, products, pipelines and the short lists exist for every member; invitations and API keys",
        "for admins, imports for those who may import. Whoever sees only some owners' leads",
        "owns what they capture, unless they name somebody else.",
        "A saved view exists for its owner and those whom they share it with: their team and the teams within it,",
        "or everybody.",
        "",
        "An API key acts as a service user with a role, and needs a scope besides: " + _scopes() + ".",
        "A key sees activities, comments, files and notifications, which tell of leads, only with `lead:read` besides.",
        "`tag:write` is of tags on leads, whose list `catalog:read` shows; `user:read` shows users and teams.",
    ]
    return "\n".join(lines) + "\n"


def _may(role: Role, action: Action) -> str:
    user, workspace = UUID(int=1), UUID(int=2)
    actor = Actor(ActorKind.USER, workspace, user_id=user, role=role)
    if may(actor, action, _of(UUID(int=3))):
        return "yes"
    return "own" if may(actor, action, _of(user)) else ""


def _of(user_id: UUID) -> SimpleNamespace:
    columns = ("owner_id", "user_id", "deleted_by_id", "logged_by_id", "created_by_id", "lead_owner_id")
    return SimpleNamespace(**dict.fromkeys(columns, user_id))


def _scopes() -> str:
    return ", ".join(f"`{scope}`" for scope in sorted(API_SCOPES))


PAGES = {"settings.md": settings_page, "errors.md": errors_page, "permissions.md": permissions_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
