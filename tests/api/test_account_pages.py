"""The pages that mails lead to: what is shown, what a form does, and what never leaves them."""

import asyncio
import hashlib
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import product
from uuid import UUID

import httpx
import pytest
from structlog.testing import capture_logs

from api.app import create_app
from api.public_pages import TEMPLATES
from domain import invitations, password_resets, sessions, tokens, users
from domain.actors import Actor
from domain.errors import Unauthenticated
from domain.sign_in_attempts import ALLOWED, Limit
from domain.tokens import Kind
from models.base import uuid7
from models.sessions import Invitation, PasswordReset, Session
from models.users import Membership, Role, User
from models.workspaces import Workspace
from settings import Settings
from tests import factories
from tests.api.serving import Client, client_of, serving
from tests.factories import PASSWORD

JOIN, RESET = "/accept-invitation", "/reset-password"
NEW = "nine green lamps"
SCRIPT = '"><script>alert(1)</script>'


class Page(HTMLParser):
    """What a browser makes of an answer."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.answer, self.status = answer, answer.status_code
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._texts: list[tuple[list[str], str]] = []
        self._open: list[str] = []
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "input"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self._texts.append((list(self._open), data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def text(self, tag: str = "main") -> str:
        return " ".join("".join(text for within, text in self._texts if tag in within).split())

    @property
    def inputs(self) -> dict[str, dict[str, str | None]]:
        return {str(one["name"]): one for one in self.all("input")}

    def fault_of(self, name: str) -> str:
        """Return the fault that stands beside a field, to which that refers."""
        described = (self.inputs[name].get("aria-describedby") or "").split()
        assert self.inputs[name].get("aria-invalid") == "true"
        assert f"{name}-fault" in described
        found = re.search(rf'id="{name}-fault">([^<]*)<', self.answer.text)
        assert found
        return found[1]


async def shown(client: Client, path: str, token: str) -> Page:
    return Page(await client.http.get(path, params={"token": token}))


async def sent(client: Client, path: str, token: str, **fields: str) -> Page:
    return Page(await client.http.post(path, data={"token": token, **fields}))


def newcomer(**changed: str) -> dict[str, str]:
    return {"name": "Ada Lovelace", "password": NEW, "repeated": NEW} | changed


async def invited(admin: Actor, email: str | None = None, *, role: Role = Role.REP) -> tuple[str, Invitation]:
    row = await invitations.invite(admin, email=email or f"{uuid7()}@example.com", role=role, now=datetime.now(UTC))
    return tokens.sign(Kind.INVITATION, row.id), row


async def forgetful() -> tuple[str, User]:
    """Make a member who asked for a new password, and return the link's token and who they are."""
    me = await factories.member()
    await factories.password_of(me)
    user = await User.get(id=me.user_id)
    await password_resets.request(email=user.email or "", now=datetime.now(UTC))
    event = (await factories.events(user.id))[-1]
    return tokens.sign(Kind.PASSWORD_RESET, UUID(event.data["password_reset"])), user


async def can_sign_in(email: str | None, password: str) -> bool:
    try:
        await sessions.sign_in(email=email or "", password=password, now=datetime.now(UTC))
    except sessions.WrongCredentials:
        return False
    return True


@pytest.fixture
async def admin(db: str) -> Actor:
    return await factories.member(name="Grace Hopper")


class TestAcceptingAnInvitation:
    async def test_somebody_new_gives_a_name_and_a_password_and_is_told_what_to_do_next(
        self, client: Client, admin: Actor
    ) -> None:
        token, row = await invited(admin, role=Role.QUALIFIER)

        asked = await shown(client, JOIN, token)
        assert asked.status == 200
        assert "Grace Hopper invites you to work in Acme" in asked.text()
        assert "Your role there is qualifier." in asked.text()
        assert set(asked.inputs) == {"token", "email", "name", "password", "repeated"}
        assert asked.inputs["email"]["value"] == row.email

        done = await sent(client, JOIN, token, **newcomer())
        assert done.status == 200
        assert done.text("h1") == "Welcome to Acme"
        assert "sign in there with" in done.text() and row.email in done.text()
        user = await User.get(email_normalised=row.email_normalised)
        assert user.name == "Ada Lovelace"
        assert (await Membership.get(user_id=user.id)).role is Role.QUALIFIER
        assert not await Session.filter(user_id=user.id).exists()
        assert await can_sign_in(row.email, NEW)

    async def test_who_has_an_account_gives_its_password(self, client: Client, admin: Actor) -> None:
        other = await factories.member()
        await factories.password_of(other)
        token, row = await invited(admin, (await User.get(id=other.user_id)).email)

        asked = await shown(client, JOIN, token)
        wrong = await sent(client, JOIN, token, password="another password")
        assert set(asked.inputs) == set(wrong.inputs) == {"token", "email", "password"}
        assert (wrong.status, wrong.fault_of("password")) == (422, "The email or the password is wrong.")
        assert not await Membership.filter(workspace_id=admin.workspace_id, user_id=other.user_id).exists()

        done = await sent(client, JOIN, token, password=PASSWORD)
        assert done.status == 200 and row.email in done.text()
        assert await Membership.filter(workspace_id=admin.workspace_id, user_id=other.user_id).exists()

    async def test_an_imported_owner_finds_their_name(self, client: Client, admin: Actor) -> None:
        imported = await factories.member(Role.REP, of=admin, active=False, name="Elease Gluck")
        token, _ = await invited(admin, (await User.get(id=imported.user_id)).email)

        assert (await shown(client, JOIN, token)).inputs["name"]["value"] == "Elease Gluck"

    async def test_faults_stand_together_beside_their_fields(self, client: Client, admin: Actor) -> None:
        token, row = await invited(admin)

        page = await sent(client, JOIN, token, **newcomer(name="x" * 201, password="short", repeated="short"))

        assert page.status == 422
        assert page.text("title").startswith("Error: ")
        assert page.fault_of("name") == "Name has 201 characters; at most 200 are allowed."
        assert page.fault_of("password") == "Password has 5 characters; at least 10 are needed."
        assert [link["href"] for link in page.all("a")] == ["#name", "#password"]
        assert ["autofocus" in page.inputs[name] for name in ("name", "password")] == [True, False]
        assert page.inputs["name"]["value"] == "x" * 201
        assert not await User.filter(email_normalised=row.email_normalised).exists()
        assert (await sent(client, JOIN, token, **newcomer())).status == 200

    @pytest.mark.parametrize(
        ("changed", "field", "fault"),
        [
            ({"name": " "}, "name", "Name is required."),
            ({"name": "a\0b"}, "name", "Name is not text without control characters."),
            ({"password": "", "repeated": ""}, "password", "Password is required."),
            ({"repeated": "nine green lamp"}, "repeated", "The two passwords are not the same."),
        ],
    )
    async def test_a_single_fault_changes_nothing(
        self, client: Client, admin: Actor, changed: dict[str, str], field: str, fault: str
    ) -> None:
        token, row = await invited(admin)

        page = await sent(client, JOIN, token, **newcomer(**changed))

        assert (page.status, page.fault_of(field)) == (422, fault)
        assert (await Invitation.get(id=row.id)).accepted_at is None

    async def test_names_are_text_wherever_they_stand(self, client: Client) -> None:
        admin = await factories.member(name=SCRIPT)
        await Workspace.filter(id=admin.workspace_id).update(name=SCRIPT)
        token, _ = await invited(admin)

        pages = [
            await shown(client, JOIN, token),
            await sent(client, JOIN, token, **newcomer(name=SCRIPT, password="short", repeated="short")),
            await sent(client, JOIN, token, **newcomer(name=SCRIPT)),
        ]

        assert [page.status for page in pages] == [200, 422, 200]
        for page in pages:
            assert page.all("script") == []
            assert SCRIPT in page.text("h1")
        assert pages[1].inputs["name"]["value"] == SCRIPT

    async def test_two_at_once_make_one_member(self, client: Client, admin: Actor) -> None:
        token, row = await invited(admin)

        pages = await asyncio.gather(*(sent(client, JOIN, token, **newcomer()) for _ in range(2)))

        assert sorted(page.status for page in pages) == [200, 410]
        assert await User.filter(email_normalised=row.email_normalised).count() == 1
        assert await Membership.filter(workspace_id=admin.workspace_id).count() == 2

    async def test_of_two_workspaces_at_once_one_is_asked_for_the_password(self, client: Client, admin: Actor) -> None:
        first, row = await invited(admin)
        second, _ = await invited(await factories.member(), row.email)

        pages = await asyncio.gather(*(sent(client, JOIN, token, **newcomer()) for token in (first, second)))

        assert sorted(page.status for page in pages) == [200, 422]
        [asked] = [page for page in pages if page.status == 422]
        assert set(asked.inputs) == {"token", "email", "password"}
        token = asked.inputs["token"]["value"] or ""
        assert (await sent(client, JOIN, token, password=NEW)).status == 200

    async def test_a_link_serves_once_and_says_so(self, client: Client, admin: Actor) -> None:
        token, _ = await invited(admin)
        await sent(client, JOIN, token, **newcomer())
        revoked, row = await invited(admin)
        await invitations.revoke(admin, row.id, now=datetime.now(UTC))
        expired, row = await invited(admin)
        await Invitation.filter(id=row.id).update(expires_at=datetime.now(UTC))

        for ended in (token, revoked, expired):
            for page in (await shown(client, JOIN, ended), await sent(client, JOIN, ended, **newcomer())):
                assert (page.status, page.text("h1")) == (410, "This link has ended")
                assert "ask whoever invited you" in page.text()
                assert page.inputs == {}


class TestResettingAPassword:
    async def test_a_new_password_is_set_and_every_session_ended(self, client: Client, db: str) -> None:
        token, user = await forgetful()
        before = await sessions.sign_in(email=user.email or "", password=PASSWORD, now=datetime.now(UTC))

        asked = await shown(client, RESET, token)
        assert asked.status == 200
        assert set(asked.inputs) == {"token", "email", "password", "repeated"}
        assert asked.inputs["email"]["value"] == user.email

        done = await sent(client, RESET, token, password=NEW, repeated=NEW)
        assert done.status == 200
        assert "sign in there with" in done.text() and (user.email or "") in done.text()
        assert [await can_sign_in(user.email, word) for word in (PASSWORD, NEW)] == [False, True]
        with pytest.raises(Unauthenticated):
            await users.load_actor(before.access_token, now=datetime.now(UTC))

    @pytest.mark.parametrize(
        ("fields", "field", "fault"),
        [
            ({"password": "short", "repeated": "short"}, "password", "Password has 5 characters"),
            ({"password": "password123", "repeated": "password123"}, "password", "Password is easily guessed"),
            ({"password": NEW, "repeated": "other"}, "repeated", "The two passwords are not the same."),
            ({"password": NEW, "repeated": ""}, "repeated", "The two passwords are not the same."),
            ({}, "password", "Password is required."),
        ],
    )
    async def test_a_fault_stands_beside_its_field_and_the_link_still_serves(
        self, client: Client, db: str, fields: dict[str, str], field: str, fault: str
    ) -> None:
        token, user = await forgetful()

        page = await sent(client, RESET, token, **fields)

        assert page.status == 422
        assert page.fault_of(field).startswith(fault)
        assert await can_sign_in(user.email, PASSWORD)
        assert (await sent(client, RESET, token, password=NEW, repeated=NEW)).status == 200

    async def test_passwords_are_never_shown_again(self, client: Client, db: str) -> None:
        token, _ = await forgetful()
        page = await sent(client, RESET, token, password=NEW, repeated="ten blue lamps")
        assert NEW not in page.answer.text and "ten blue lamps" not in page.answer.text

    async def test_a_link_serves_once_even_at_once(self, client: Client, db: str) -> None:
        token, user = await forgetful()

        pages = await asyncio.gather(*(sent(client, RESET, token, password=NEW, repeated=NEW) for _ in range(2)))
        again = await shown(client, RESET, token)

        assert sorted(page.status for page in pages) == [200, 410]
        assert (again.status, again.text("h1"), again.inputs) == (410, "This link has ended", {})
        assert await can_sign_in(user.email, NEW)

    async def test_an_old_link_is_refused(self, client: Client, db: str) -> None:
        token, user = await forgetful()
        await PasswordReset.filter(user_id=user.id).update(expires_at=datetime.now(UTC))

        assert (await shown(client, RESET, token)).status == 410
        assert (await sent(client, RESET, token, password=NEW, repeated=NEW)).status == 410
        assert await can_sign_in(user.email, PASSWORD)


@pytest.mark.parametrize("path", [JOIN, RESET])
class TestBothPages:
    async def test_what_is_no_link_is_told_in_a_sentence(self, client: Client, db: str, path: str) -> None:
        other = Kind.PASSWORD_RESET if path == JOIN else Kind.INVITATION
        own = Kind.INVITATION if path == JOIN else Kind.PASSWORD_RESET
        odd = ["", "x", "A" * 64, "\0", "é" * 64, tokens.sign(other, uuid7()), tokens.sign(own, uuid7())]

        pages = [await shown(client, path, token) for token in odd]
        pages += [await sent(client, path, token, **newcomer()) for token in odd]
        pages += [Page(await client.http.get(path))]

        for page in pages:
            assert (page.status, page.text("h1")) == (404, "This link is not valid")
            assert "ask for a new one" in page.text()

    @pytest.mark.parametrize(
        ("content", "kind", "status"),
        [
            (b"{}", "application/json", 415),
            (b"token=x", "", 415),
            (b"token=%FF", "application/x-www-form-urlencoded", 400),
            (b"token=\xff", "application/x-www-form-urlencoded", 400),
            (b"a=1&" * 101, "application/x-www-form-urlencoded", 400),
            (b"token=" + b"x" * 70_000, "application/x-www-form-urlencoded", 413),
        ],
    )
    async def test_what_is_no_form_is_refused(
        self, client: Client, path: str, content: bytes, kind: str, status: int
    ) -> None:
        page = Page(await client.http.post(path, content=content, headers={"Content-Type": kind}))
        assert (page.status, page.text("h1")) == (status, "This did not work")
        assert (await client.http.put(path)).status_code == 405

    async def test_nothing_leaks_and_nothing_foreign_runs(self, client: Client, admin: Actor, path: str) -> None:
        token = (await invited(admin))[0] if path == JOIN else (await forgetful())[0]
        weak = newcomer(password="short", repeated="short")
        strong = newcomer()

        pages = [
            await shown(client, path, token),
            await sent(client, path, token, **weak),
            await sent(client, path, token, **strong),
            await sent(client, path, token, **strong),
            await shown(client, path, "x"),
        ]

        assert [page.status for page in pages] == [200, 422, 200, 410, 404]
        for page in pages:
            [style] = re.findall(r"<style>(.*)</style>", page.answer.text, re.DOTALL)
            digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
            headers = page.answer.headers
            assert headers["Content-Security-Policy"] == (
                f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
                "base-uri 'none'; frame-ancestors 'none'"
            )
            assert headers["Referrer-Policy"] == "no-referrer"
            assert headers["Cache-Control"] == "no-store"
            assert headers["Content-Type"] == "text/html; charset=utf-8"
            assert "Set-Cookie" not in headers
            assert not any("style" in given or "src" in given for _, given in page.tags)

    async def test_neither_token_nor_password_is_logged(self, client: Client, admin: Actor, path: str) -> None:
        token = (await invited(admin))[0] if path == JOIN else (await forgetful())[0]

        with capture_logs() as lines:
            await shown(client, path, token)
            await sent(client, path, token, **newcomer())

        assert [(line["path"], line["status"]) for line in lines] == [(path, 200), (path, 200)]
        assert token not in str(lines) and NEW not in str(lines)

    async def test_who_hears_a_page_knows_what_each_field_is(self, client: Client, admin: Actor, path: str) -> None:
        token = (await invited(admin))[0] if path == JOIN else (await forgetful())[0]

        page = await shown(client, path, token)

        assert page.all("html") == [{"lang": "en"}]
        labels = {label["for"] for label in page.all("label")}
        fields = {given["id"] for given in page.all("input") if given["type"] != "hidden"}
        assert labels == fields
        assert all(given.get("autocomplete") for given in page.all("input") if given["type"] != "hidden")
        assert page.text("title") == f"{page.text('h1')} – Salescycle"
        assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")

    async def test_an_address_has_one_budget_for_the_api_and_the_pages(self, limited: Client, path: str) -> None:
        told = [Page(await limited.http.get(path)) for _ in range(3)]

        assert [page.status for page in told] == [404, 404, 429]
        assert told[-1].text("h1") == "Please wait a little"
        assert 1 <= int(told[-1].answer.headers["Retry-After"]) <= 100
        assert (await limited.send("{ __typename }")).status_code == 429


@pytest.fixture
async def limited(server_settings: Settings, empty_redis_url: str) -> AsyncIterator[Client]:
    """A client of a server where an address may ask for two pages."""
    changed = {"redis_url": empty_redis_url, "budget": 200, "budget_per_second": 1}
    app = create_app(server_settings.model_copy(update=changed))
    async with serving(app) as address, client_of(address) as made:
        yield made
    await app.state.redis.aclose()


async def test_guessing_the_password_of_an_account_is_limited(client: Client, admin: Actor) -> None:
    other = await factories.member()
    await factories.password_of(other)
    token, _ = await invited(admin, (await User.get(id=other.user_id)).email)
    most, window = ALLOWED[Limit.SIGN_IN_ACCOUNT]

    guesses = [await sent(client, JOIN, token, password=f"guess number {number}") for number in range(most)]
    refused = await sent(client, JOIN, token, password=PASSWORD)

    assert {page.status for page in guesses} == {422}
    assert refused.status == 429
    assert 0 < int(refused.answer.headers["Retry-After"]) <= window.total_seconds()


async def test_the_form_goes_where_the_page_is_behind_a_path_of_a_proxy(client: Client, admin: Actor) -> None:
    page = await shown(client, JOIN, (await invited(admin))[0])
    [form] = page.all("form")
    base = httpx.URL("https://example.com/sales/accept-invitation?token=t")
    assert base.join(str(form["action"])) == "https://example.com/sales/accept-invitation"
    assert form["method"] == "post"


def test_colours_can_be_told_apart_as_wcag_aa_asks() -> None:
    style = (TEMPLATES / "style.css").read_text()
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", part)) for part in style.split("@media")[:2])

    for colours in (light, dark):
        assert len(colours) == 8
        for ink, paper in product(("text", "muted", "accent", "fault"), ("surface", "ground")):
            assert _contrast(colours[ink], colours[paper]) >= 4.5, (ink, paper)
        assert _contrast(colours["on-accent"], colours["accent"]) >= 4.5
        assert _contrast(colours["line"], colours["surface"]) >= 3


def _contrast(one: str, other: str) -> float:
    """Return the ratio that WCAG 2.2 defines."""
    darker, lighter = sorted(_luminance(colour) for colour in (one, other))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
