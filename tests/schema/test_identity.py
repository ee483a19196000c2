"""Identity over HTTP: what a client sends to sign in, invite, refresh and leave, and what it is told."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api.app import create_app
from domain import sessions, tokens
from domain.sign_in_attempts import ALLOWED, Limit
from domain.tokens import Kind
from models.api_keys import ApiKey as ApiKeyRow
from models.base import uuid7
from models.sessions import Invitation as InvitationRow
from models.sessions import PasswordReset, Session
from models.teams import Team as TeamRow
from models.users import Role, User
from models.workspaces import Workspace as WorkspaceRow
from schema import ids
from schema.schema import graphql_schema
from tests import factories

PASSWORD = factories.PASSWORD
TOKENS = "accessToken refreshToken expiresAt viewer { user { name role } workspace { id name } }"
ERRORS = "userErrors { code message field }"


@dataclass
class Api:
    """The API as a client sees it; `as_` is a bearer token."""

    http: httpx.AsyncClient

    async def send(self, document: str, variables: dict[str, Any], as_: str | None = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {as_}"} if as_ else {}
        answer = await self.http.post("/graphql", json={"query": document, "variables": variables}, headers=headers)
        body: dict[str, Any] = answer.json()
        return body

    async def ask(self, fields: str, *, as_: str | None = None, **variables: str) -> dict[str, Any]:
        """Send a query, whose variables are ids, and return the whole answer."""
        declared = ", ".join(f"${name}: ID!" for name in variables)
        return await self.send(f"query{f'({declared})' if declared else ''} {{ {fields} }}", variables, as_)

    async def query(self, fields: str, *, as_: str | None = None, **variables: str) -> dict[str, Any]:
        """Send a query that has no errors and return its data."""
        return data_of(await self.ask(fields, as_=as_, **variables))

    async def code(self, fields: str, *, as_: str | None = None, **variables: str) -> str:
        """Send a query that has one error and return its code."""
        return code_of(await self.ask(fields, as_=as_, **variables))

    async def mutate(self, mutation: str, selection: str, /, *, as_: str | None = None, **input: Any) -> dict[str, Any]:
        """Send a mutation and return the whole answer."""
        kind = f"{mutation[0].upper()}{mutation[1:]}Input"
        document = f"mutation($input: {kind}!) {{ {mutation}(input: $input) {{ {selection} {ERRORS} }} }}"
        return await self.send(document, {"input": input}, as_)

    async def run(self, mutation: str, selection: str, /, *, as_: str | None = None, **input: Any) -> dict[str, Any]:
        """Send a mutation that has no top-level errors and return its payload."""
        data = data_of(await self.mutate(mutation, selection, as_=as_, **input))
        payload: dict[str, Any] = data[mutation]
        return payload


def data_of(body: dict[str, Any]) -> dict[str, Any]:
    assert "errors" not in body, body
    data: dict[str, Any] = body["data"]
    return data


def code_of(body: dict[str, Any]) -> str:
    (error,) = body["errors"]
    code: str = error["extensions"]["code"]
    return code


def codes(payload: dict[str, Any]) -> list[str]:
    return [error["code"] for error in payload["userErrors"]]


@pytest.fixture
async def api(db: str) -> AsyncIterator[Api]:
    transport = httpx.ASGITransport(create_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        yield Api(http)


def address() -> str:
    return f"{uuid7()}@example.com"


async def signed_up(api: Api, **more: Any) -> dict[str, Any]:
    given = {
        "workspaceName": "Acme",
        "name": "Ada",
        "email": address(),
        "password": PASSWORD,
        "baseCurrency": "EUR",
    }
    payload = await api.run("signUp", TOKENS, **given | more)
    assert payload["userErrors"] == []
    return payload


async def token_of(role: Role = Role.ADMIN, **more: Any) -> str:
    return (await factories.session(await factories.member(role, **more), now=datetime.now(UTC))).access_token


async def admin_and_token() -> tuple[Any, str]:
    admin = await factories.member()
    return admin, (await factories.session(admin, now=datetime.now(UTC))).access_token


class TestSigningUpAndIn:
    async def test_signing_up_answers_as_the_new_admin(self, api: Api) -> None:
        payload = await api.run(
            "signUp",
            f"{TOKENS} clientMutationId query {{ workspace {{ name baseCurrency timeZone }} }}",
            workspaceName="Globex",
            name="Grace",
            email=address(),
            password=PASSWORD,
            baseCurrency="USD",
            timeZone="America/New_York",
            pipelineTemplate="SUBSCRIPTION",
            clientMutationId="first",
        )

        assert payload["viewer"]["user"] == {"name": "Grace", "role": "ADMIN"}
        assert payload["query"]["workspace"] == {
            "name": "Globex",
            "baseCurrency": "USD",
            "timeZone": "America/New_York",
        }
        assert payload["clientMutationId"] == "first"
        assert (await api.query("viewer { user { name } }", as_=payload["accessToken"]))["viewer"]["user"]

    async def test_faults_are_told_together_with_their_fields(self, api: Api) -> None:
        payload = await api.run(
            "signUp",
            TOKENS,
            workspaceName="",
            name="Ada",
            email="nobody",
            password="short",
            baseCurrency="EURO",
        )

        assert payload["accessToken"] is None
        assert {(error["code"], error["field"][0]) for error in payload["userErrors"]} == {
            ("REQUIRED", "workspaceName"),
            ("MALFORMED", "email"),
            ("PASSWORD_TOO_SHORT", "password"),
            ("MALFORMED", "baseCurrency"),
        }

    async def test_an_email_that_has_an_account_exists_already(self, api: Api) -> None:
        email = address()
        await signed_up(api, email=email)
        payload = await api.run(
            "signUp", TOKENS, workspaceName="B", name="B", email=email, password=PASSWORD, baseCurrency="EUR"
        )
        assert codes(payload) == ["ALREADY_EXISTS"]

    async def test_signing_in(self, api: Api) -> None:
        email = address()
        await signed_up(api, email=email)

        payload = await api.run("signIn", TOKENS, email=email, password=PASSWORD)

        assert payload["viewer"]["user"]["name"] == "Ada"
        expires = datetime.fromisoformat(payload["expiresAt"])
        assert timedelta(minutes=14) < expires - datetime.now(UTC) <= timedelta(minutes=15)

    async def test_a_wrong_password_and_an_unknown_address_are_told_the_same(self, api: Api) -> None:
        email = address()
        await signed_up(api, email=email)

        known = await api.mutate("signIn", TOKENS, email=email, password="wrong password")
        unknown = await api.mutate("signIn", TOKENS, email=address(), password="wrong password")

        assert known["data"] == unknown["data"]
        assert codes(known["data"]["signIn"]) == ["WRONG_CREDENTIALS"]

    async def test_too_many_guesses_are_told_when_to_come_back(self, api: Api) -> None:
        email = address()
        for _ in range(ALLOWED[Limit.SIGN_IN_ACCOUNT][0]):
            await api.run("signIn", TOKENS, email=email, password="wrong password")

        body = await api.mutate("signIn", TOKENS, email=email, password="wrong password")

        (error,) = body["errors"]
        assert error["extensions"]["code"] == "RATE_LIMITED"
        assert 0 < error["extensions"]["retryAfter"] <= 900


class TestWhoAsks:
    async def test_the_viewer_knows_who_where_and_what_they_may(self, api: Api) -> None:
        rep = await factories.member(Role.REP, name="Rita")
        token = (await factories.session(rep, now=datetime.now(UTC))).access_token

        data = await api.query(
            "viewer { user { name role active isService team { name } } workspace { name } timeZone locale"
            " memberships { role workspace { name } } permissions { action ownOnly } }",
            as_=token,
        )

        viewer = data["viewer"]
        assert viewer["user"] == {"name": "Rita", "role": "REP", "active": True, "isService": False, "team": None}
        assert viewer["memberships"] == [{"role": "REP", "workspace": {"name": "Acme"}}]
        assert (viewer["timeZone"], viewer["locale"]) == ("UTC", "en")
        permissions = {entry["action"]: entry["ownOnly"] for entry in viewer["permissions"]}
        assert permissions["MOVE_LEAD"] is True
        assert permissions["CAPTURE_LEAD"] is False
        assert "MANAGE_USERS" not in permissions

    @pytest.mark.parametrize("token", [None, "x", "a.b.c", "sck_no_such_key"])
    async def test_nobody_is_told_to_sign_in(self, api: Api, token: str | None) -> None:
        assert await api.code("viewer { locale }", as_=token) == "UNAUTHENTICATED"
        assert await api.code("users { nodes { name } }", as_=token) == "UNAUTHENTICATED"
        body = await api.mutate("createTeam", "team { id }", name="North", as_=token)
        assert code_of(body) == "UNAUTHENTICATED"

    async def test_an_expired_token_is_told_to_refresh(self, api: Api) -> None:
        old = await factories.session(await factories.member(), now=datetime.now(UTC) - timedelta(minutes=16))

        body = await api.send("{ viewer { locale } }", {}, old.access_token)

        assert code_of(body) == "UNAUTHENTICATED"
        assert "expired" in body["errors"][0]["message"]

    async def test_a_bad_token_does_not_keep_anybody_from_signing_in(self, api: Api) -> None:
        email = address()
        await signed_up(api, email=email)
        payload = await api.run("signIn", TOKENS, email=email, password=PASSWORD, as_="worn.out.token")
        assert payload["accessToken"]


class TestStayingSignedIn:
    async def test_two_tabs_refresh_at_once_and_both_go_on(self, api: Api) -> None:
        first = await signed_up(api)

        one, two = await asyncio.gather(
            *(api.run("refreshToken", TOKENS, refreshToken=first["refreshToken"]) for _ in range(2))
        )

        assert one["refreshToken"] == two["refreshToken"] != first["refreshToken"]
        for tab in (one, two):
            assert (await api.query("viewer { locale }", as_=tab["accessToken"]))["viewer"]

    async def test_an_old_refresh_token_ends_the_session(self, api: Api) -> None:
        first = await signed_up(api)
        second = await api.run("refreshToken", TOKENS, refreshToken=first["refreshToken"])
        claims = sessions.read_access_token(second["accessToken"], now=datetime.now(UTC))
        before = datetime.now(UTC) - timedelta(seconds=31)
        await Session.filter(id=claims.session_id).update(rotated_at=before)

        for token in (first["refreshToken"], second["refreshToken"]):
            assert code_of(await api.mutate("refreshToken", TOKENS, refreshToken=token)) == "UNAUTHENTICATED"
        assert await api.code("viewer { locale }", as_=second["accessToken"]) == "UNAUTHENTICATED"

    @pytest.mark.parametrize("token", ["", "x", "é" * 64, "A" * 64])
    async def test_what_is_no_refresh_token_is_refused(self, api: Api, token: str) -> None:
        assert code_of(await api.mutate("refreshToken", TOKENS, refreshToken=token)) == "UNAUTHENTICATED"

    async def test_signing_out_ends_the_access_token_at_once(self, api: Api) -> None:
        token = (await signed_up(api))["accessToken"]
        assert (await api.run("signOut", "signedOut", as_=token))["signedOut"]
        assert await api.code("viewer { locale }", as_=token) == "UNAUTHENTICATED"

    async def test_signing_out_needs_no_input(self, api: Api) -> None:
        token = (await signed_up(api))["accessToken"]
        body = await api.send("mutation { signOut { signedOut } }", {}, token)
        assert body["data"] == {"signOut": {"signedOut": True}}

    async def test_signing_out_everywhere(self, api: Api) -> None:
        email = address()
        first = await signed_up(api, email=email)
        second = await api.run("signIn", TOKENS, email=email, password=PASSWORD)

        payload = await api.run("signOutEverywhere", "sessionsEnded", as_=first["accessToken"])

        assert payload["sessionsEnded"] == 2
        assert await api.code("viewer { locale }", as_=second["accessToken"]) == "UNAUTHENTICATED"

    async def test_switching_to_another_workspace(self, api: Api) -> None:
        here = await factories.member()
        there = await factories.member(
            Role.VIEWER,
            of=await factories.workspace(name="Globex"),
            person=await User.get(id=here.user_id),
        )
        token = (await factories.session(here, now=datetime.now(UTC))).access_token

        payload = await api.run(
            "switchWorkspace", TOKENS, as_=token, workspaceId=ids.encode("Workspace", there.workspace_id)
        )

        assert payload["viewer"]["workspace"]["name"] == "Globex"
        assert payload["viewer"]["user"]["role"] == "VIEWER"


class TestPasswords:
    async def test_a_reset_is_answered_the_same_for_every_address(self, api: Api) -> None:
        email = address()
        await signed_up(api, email=email)

        known = await api.mutate("requestPasswordReset", "requested", email=email)
        unknown = await api.mutate("requestPasswordReset", "requested", email=address())

        assert known["data"] == unknown["data"] == {"requestPasswordReset": {"requested": True, "userErrors": []}}

    async def test_the_link_sets_a_new_password(self, api: Api) -> None:
        email = address()
        first = await signed_up(api, email=email)
        await api.run("requestPasswordReset", "requested", email=email)
        row = await PasswordReset.get(user__email=email)
        token = tokens.sign(Kind.PASSWORD_RESET, row.id)

        assert codes(await api.run("resetPassword", "reset", token=token, password="1234567890"))
        assert (await api.run("resetPassword", "reset", token=token, password="nine green lamps"))["reset"]

        assert codes(await api.run("resetPassword", "reset", token=token, password=PASSWORD)) == ["ENDED_LINK"]
        assert await api.code("viewer { locale }", as_=first["accessToken"]) == "UNAUTHENTICATED"
        assert (await api.run("signIn", TOKENS, email=email, password="nine green lamps"))["accessToken"]

    async def test_a_forged_link_is_invalid(self, api: Api) -> None:
        payload = await api.run("resetPassword", "reset", token="x" * 64, password="nine green lamps")
        assert codes(payload) == ["INVALID_LINK"]

    async def test_changing_ones_own(self, api: Api) -> None:
        token = (await signed_up(api))["accessToken"]
        change = {"password": "nine green lamps"}

        wrong = await api.run("updateMe", "user { id }", as_=token, oldPassword="wrong one", **change)
        right = await api.run("updateMe", "user { version }", as_=token, oldPassword=PASSWORD, **change)

        assert wrong["userErrors"][0]["code"] == "WRONG_PASSWORD"
        assert wrong["userErrors"][0]["field"] == ["oldPassword"]
        assert right["user"] == {"version": 2}

    async def test_an_idempotency_key_does_not_hide_guesses(self, api: Api) -> None:
        token = (await signed_up(api))["accessToken"]
        guess = {"password": "nine green lamps", "oldPassword": "wrong one"}
        for _ in range(ALLOWED[Limit.SIGN_IN_ACCOUNT][0]):
            await api.run("updateMe", "user { id }", as_=token, idempotencyKey=str(uuid7()), **guess)

        body = await api.mutate("updateMe", "user { id }", as_=token, idempotencyKey=str(uuid7()), **guess)

        assert code_of(body) == "RATE_LIMITED"

    async def test_a_stale_edit_bears_the_current_user(self, api: Api) -> None:
        token = (await signed_up(api))["accessToken"]
        payload = await api.run("updateMe", "user { name version }", as_=token, name="Eve", expectedVersion=7)
        assert codes(payload) == ["STALE"]
        assert payload["user"] == {"name": "Ada", "version": 1}

    async def test_null_clears_and_what_is_left_out_stays(self, api: Api) -> None:
        token = (await signed_up(api))["accessToken"]
        await api.run("updateMe", "user { id }", as_=token, timeZone="Asia/Tokyo", locale="ja")

        payload = await api.run("updateMe", "user { timeZone locale }", as_=token, timeZone=None)

        assert payload["user"] == {"timeZone": None, "locale": "ja"}


class TestMembers:
    async def test_inviting_and_accepting(self, api: Api) -> None:
        _, token = await admin_and_token()
        team = (await api.run("createTeam", "team { id }", as_=token, name="North"))["team"]
        email = address()

        invited = await api.run(
            "inviteUser",
            "invitation { id email role team { name } acceptedAt }",
            as_=token,
            email=email,
            role="MANAGER",
            teamId=team["id"],
        )
        invitation = invited["invitation"]
        assert invitation["team"] == {"name": "North"}
        link = tokens.sign(Kind.INVITATION, ids.decode(invitation["id"], "Invitation"))
        accepted = await self.accept(api, link)

        assert accepted["viewer"]["user"] == {"name": "Max", "role": "MANAGER"}
        data = await api.query(
            "invitations { nodes { acceptedAt } } teams { nodes { members { totalCount nodes { name } } } }",
            as_=token,
        )
        assert data["invitations"]["nodes"][0]["acceptedAt"]
        assert data["teams"]["nodes"] == [{"members": {"totalCount": 1, "nodes": [{"name": "Max"}]}}]

    async def accept(self, api: Api, link: str) -> dict[str, Any]:
        return await api.run("acceptInvitation", TOKENS, token=link, name="Max", password=PASSWORD)

    async def test_two_accepts_at_once_make_one_member(self, api: Api) -> None:
        _, token = await admin_and_token()
        invited = await api.run("inviteUser", "invitation { id }", as_=token, email=address())
        link = tokens.sign(Kind.INVITATION, ids.decode(invited["invitation"]["id"], "Invitation"))

        outcomes = await asyncio.gather(self.accept(api, link), self.accept(api, link))

        assert sorted(len(outcome["userErrors"]) for outcome in outcomes) == [0, 1]
        assert ["ENDED_LINK"] in [codes(outcome) for outcome in outcomes]

    async def test_revoking_an_invitation(self, api: Api) -> None:
        _, token = await admin_and_token()
        invited = (await api.run("inviteUser", "invitation { id }", as_=token, email=address()))["invitation"]

        revoked = await api.run("revokeInvitation", "invitation { revokedAt }", as_=token, id=invited["id"])

        assert revoked["invitation"]["revokedAt"]
        link = tokens.sign(Kind.INVITATION, ids.decode(invited["id"], "Invitation"))
        assert codes(await self.accept(api, link)) == ["ENDED_LINK"]

    async def test_members_are_listed_filtered_searched_and_ordered(self, api: Api) -> None:
        admin, token = await admin_and_token()
        team = await factories.team(admin, name="North")
        await factories.member(Role.REP, of=admin, team=team, name="Zoe Zimmer")
        await factories.member(Role.REP, of=admin, active=False, name="Yan Young")
        await factories.member(Role.REP, name="Stranger Zimmer")

        async def names(arguments: str) -> list[str]:
            data = await api.query(f"users({arguments}) {{ nodes {{ name }} }}", as_=token)
            return [node["name"] for node in data["users"]["nodes"]]

        reps = "filter: {membership: {role: {eq: REP}}}"
        assert await names(f"{reps}, orderBy: [{{field: NAME, direction: DESC}}]") == ["Zoe Zimmer", "Yan Young"]
        assert await names("filter: {membership: {active: {eq: false}}}") == ["Yan Young"]
        north = ids.encode("Team", team.id)
        assert await names(f'filter: {{membership: {{team: {{eq: "{north}"}}}}}}') == ["Zoe Zimmer"]
        assert await names('search: "zimm"') == ["Zoe Zimmer"]

    async def test_changing_a_member(self, api: Api) -> None:
        admin, token = await admin_and_token()
        rep = await factories.member(Role.REP, of=admin, team=await factories.team(admin))
        assert rep.user_id
        key = ids.encode("User", rep.user_id)

        changed = await api.run(
            "updateMember", "user { role active team { name } version }", as_=token, id=key, role="MANAGER", teamId=None
        )
        left = await api.run("updateMember", "user { role active }", as_=token, id=key, active=False)

        assert changed["user"] == {"role": "MANAGER", "active": True, "team": None, "version": 2}
        assert left["user"] == {"role": "MANAGER", "active": False}

    async def test_the_last_admin_stays(self, api: Api) -> None:
        admin, token = await admin_and_token()
        key = ids.encode("User", admin.user_id)
        payload = await api.run("updateMember", "user { id }", as_=token, id=key, role="VIEWER")
        assert codes(payload) == ["LAST_ADMIN"]

    async def test_who_may_not_is_told_so_and_shown_nothing(self, api: Api) -> None:
        admin = await factories.member()
        token = await token_of(Role.MANAGER, of=admin)
        assert admin.user_id

        payloads = [
            await api.run("inviteUser", "invitation { id }", as_=token, email=address()),
            await api.run("updateMember", "user { id }", as_=token, id=ids.encode("User", admin.user_id), role="REP"),
            await api.run("createTeam", "team { id }", as_=token, name="Mine"),
            await api.run("createApiKey", "secret", as_=token, name="Mine", scopes=["lead:read"]),
            await api.run("updateWorkspace", "workspace { id }", as_=token, name="Mine"),
        ]

        assert [codes(payload) for payload in payloads] == [["FORBIDDEN"]] * 5
        data = await api.query("invitations { totalCount } apiKeys { totalCount }", as_=token)
        assert data == {"invitations": {"totalCount": 0}, "apiKeys": {"totalCount": 0}}


class TestTeams:
    async def test_teams_within_teams(self, api: Api) -> None:
        _, token = await admin_and_token()
        own = str(uuid7())
        top = (await api.run("createTeam", "team { id }", as_=token, name="Sales", id=own))["team"]["id"]
        low = (await api.run("createTeam", "team { id }", as_=token, name="North", parentId=top))["team"]["id"]

        cycle = await api.run("updateTeam", "team { id }", as_=token, id=top, parentId=low)
        full = await api.run("deleteTeam", "deletedTeamId", as_=token, id=top)
        data = await api.query("team(id: $id) { name parent { name } teams { nodes { name } } }", as_=token, id=top)

        assert codes(cycle) == ["TEAM_CYCLE"]
        assert codes(full) == ["TEAM_NOT_EMPTY"]
        assert data["team"] == {"name": "Sales", "parent": None, "teams": {"nodes": [{"name": "North"}]}}
        moved = await api.run("updateTeam", "team { parent { id } version }", as_=token, id=low, parentId=None)
        assert moved["team"] == {"parent": None, "version": 2}
        gone = await api.run("deleteTeam", "deletedTeamId", as_=token, id=top)
        assert gone["deletedTeamId"] == top
        assert (await api.query("team(id: $id) { name } node(id: $id) { id }", as_=token, id=top)) == {
            "team": None,
            "node": None,
        }


class TestWorkspace:
    async def test_changing_it(self, api: Api) -> None:
        _, token = await admin_and_token()

        payload = await api.run(
            "updateWorkspace",
            "workspace { name winsWindowDays version roleVisibility { role visibility } }",
            as_=token,
            name="Globex",
            winsWindowDays=30,
            roleVisibility=[{"role": "REP", "visibility": "TEAM"}],
            expectedVersion=1,
        )

        workspace = payload["workspace"]
        assert (workspace["name"], workspace["winsWindowDays"], workspace["version"]) == ("Globex", 30, 2)
        assert {"role": "REP", "visibility": "TEAM"} in workspace["roleVisibility"]
        assert {"role": "ADMIN", "visibility": "ALL"} in workspace["roleVisibility"]
        stale = await api.run("updateWorkspace", "workspace { version }", as_=token, name="X", expectedVersion=1)
        assert codes(stale) == ["STALE"]
        assert stale["workspace"] == {"version": 2}

    async def test_it_is_a_node_for_its_members_only(self, api: Api) -> None:
        admin, token = await admin_and_token()
        key = ids.encode("Workspace", admin.workspace_id)
        node = "node(id: $id) { ... on Workspace { name } }"

        assert (await api.query(node, as_=token, id=key))["node"] == {"name": "Acme"}
        assert (await api.query(node, as_=await token_of(), id=key))["node"] is None


class TestApiKeys:
    async def test_a_key_is_shown_once_acts_and_stops_at_once(self, api: Api) -> None:
        _, token = await admin_and_token()

        made = await api.run(
            "createApiKey",
            "secret apiKey { id name prefix scopes user { name isService role } createdBy { name } }",
            as_=token,
            name="Web shop",
            scopes=["user:read", "lead:write"],
        )

        key, secret = made["apiKey"], made["secret"]
        assert key["scopes"] == ["lead:write", "user:read"]
        assert key["user"] == {"name": "Web shop", "isService": True, "role": "QUALIFIER"}
        assert secret.startswith(key["prefix"])
        data = await api.query("viewer { user { name } memberships { role } } users { totalCount }", as_=secret)
        assert data["viewer"] == {"user": {"name": "Web shop"}, "memberships": [{"role": "QUALIFIER"}]}
        listed = await api.query("apiKeys { nodes { id lastUsedAt revokedAt } }", as_=token)
        (node,) = listed["apiKeys"]["nodes"]
        assert node["lastUsedAt"] and node["revokedAt"] is None
        await api.run("revokeApiKey", "apiKey { revokedAt }", as_=token, id=key["id"])
        assert await api.code("viewer { locale }", as_=secret) == "UNAUTHENTICATED"

    async def test_a_key_sees_only_what_its_scopes_name(self, api: Api) -> None:
        _, token = await admin_and_token()
        made = await api.run("createApiKey", "secret", as_=token, name="Shop", scopes=["lead:read"])

        data = await api.query(
            "users { totalCount } teams { totalCount } viewer { user { role } permissions { action } }",
            as_=made["secret"],
        )

        assert data == {
            "users": {"totalCount": 0},
            "teams": {"totalCount": 0},
            "viewer": {"user": {"role": "QUALIFIER"}, "permissions": []},
        }
        for fields in ("scoreOutcomes { won }", "scoreFields { label }"):
            assert await api.code(fields, as_=made["secret"]) == "FORBIDDEN"

    async def test_a_key_is_no_person(self, api: Api) -> None:
        _, token = await admin_and_token()
        made = await api.run("createApiKey", "secret", as_=token, name="Shop", scopes=["user:write"], role="ADMIN")
        secret = made["secret"]

        assert codes(await api.run("updateMe", "user { id }", as_=secret, name="Eve")) == ["FORBIDDEN"]
        assert codes(await api.run("signOut", "signedOut", as_=secret)) == ["FORBIDDEN"]
        assert codes(await api.run("signOutEverywhere", "sessionsEnded", as_=secret)) == ["FORBIDDEN"]
        forbidden = await api.run("createApiKey", "secret", as_=secret, name="More", scopes=["lead:read"])
        assert codes(forbidden) == ["FORBIDDEN"]

    async def test_unknown_scopes_are_told_with_the_known_ones(self, api: Api) -> None:
        _, token = await admin_and_token()
        made = await api.run("createApiKey", "secret", as_=token, name="Shop", scopes=["lead:admin"])
        assert codes(made) == ["UNKNOWN_SCOPE"]
        assert "lead:write" in made["userErrors"][0]["message"]


async def foreign_ids() -> dict[str, str]:
    """Return an id of each of identity's nouns, all of another workspace."""
    stranger = await factories.member()
    home: dict[str, Any] = {"workspace_id": stranger.workspace_id, "created_at": factories.NOW}
    invitation = await InvitationRow.create(
        email="a@example.com",
        email_normalised="a@example.com",
        role=Role.REP,
        expires_at=datetime(2200, 1, 1, tzinfo=UTC),
        **home,
    )
    key = await ApiKeyRow.create(user_id=stranger.user_id, name="Key", prefix="sck_", key_hash=str(uuid7()), **home)
    team: TeamRow = await factories.team(stranger)
    assert stranger.user_id
    return {
        "User": ids.encode("User", stranger.user_id),
        "Team": ids.encode("Team", team.id),
        "Workspace": ids.encode("Workspace", stranger.workspace_id),
        "Invitation": ids.encode("Invitation", invitation.id),
        "ApiKey": ids.encode("ApiKey", key.id),
    }


# Every id that identity's mutations take: mutation, field, noun, what else it needs.
ID_FIELDS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("switchWorkspace", "workspaceId", "Workspace", {}),
    ("inviteUser", "teamId", "Team", {"email": "new@example.com"}),
    ("revokeInvitation", "id", "Invitation", {}),
    ("updateMember", "id", "User", {"role": "VIEWER"}),
    ("updateMember", "teamId", "Team", {"id": "me"}),
    ("createTeam", "parentId", "Team", {"name": "North"}),
    ("updateTeam", "id", "Team", {"name": "North"}),
    ("updateTeam", "parentId", "Team", {"id": "my team"}),
    ("deleteTeam", "id", "Team", {}),
    ("createApiKey", "serviceUserId", "User", {"name": "Key", "scopes": ["lead:read"]}),
    ("revokeApiKey", "id", "ApiKey", {}),
]


class TestIds:
    async def own(self) -> tuple[str, dict[str, str]]:
        admin, token = await admin_and_token()
        team = await factories.team(admin)
        return token, {"me": ids.encode("User", admin.user_id), "my team": ids.encode("Team", team.id)}

    @pytest.mark.parametrize(("mutation", "field", "noun", "more"), ID_FIELDS)
    async def test_another_workspaces_and_a_missing_row_are_not_found(
        self, api: Api, mutation: str, field: str, noun: str, more: dict[str, Any]
    ) -> None:
        token, mine = await self.own()
        given = {name: mine.get(value, value) if isinstance(value, str) else value for name, value in more.items()}
        for key in ((await foreign_ids())[noun], ids.encode(noun, uuid7())):
            payload = await api.run(mutation, "clientMutationId", as_=token, **{**given, field: key})
            assert [(error["code"], error["field"]) for error in payload["userErrors"]] == [("NOT_FOUND", [field])]

    @pytest.mark.parametrize(("mutation", "field", "noun", "more"), ID_FIELDS)
    async def test_a_malformed_id_or_one_of_another_noun_is_bad_input(
        self, api: Api, mutation: str, field: str, noun: str, more: dict[str, Any]
    ) -> None:
        token, mine = await self.own()
        given = {name: mine.get(value, value) if isinstance(value, str) else value for name, value in more.items()}
        for key in ("", "x", "é", "A" * 10_000, str(uuid7()), ids.encode("Lead", uuid7())):
            body = await api.mutate(mutation, "clientMutationId", as_=token, **{**given, field: key})
            assert code_of(body) == "BAD_USER_INPUT", key

    async def test_what_is_read_by_a_foreign_id_is_null(self, api: Api) -> None:
        _, token = await admin_and_token()
        for noun, key in (await foreign_ids()).items():
            assert (await api.query("node(id: $id) { id }", as_=token, id=key))["node"] is None, noun
        foreign = await foreign_ids()
        assert (await api.query("user(id: $id) { name }", as_=token, id=foreign["User"]))["user"] is None
        assert (await api.query("team(id: $id) { name }", as_=token, id=foreign["Team"]))["team"] is None

    async def test_every_noun_is_a_node_for_who_may_see_it(self, api: Api) -> None:
        admin, token = await admin_and_token()
        invited = await api.run("inviteUser", "invitation { id }", as_=token, email=address())
        key = await api.run("createApiKey", "apiKey { id }", as_=token, name="Key", scopes=["lead:read"])
        team = await factories.team(admin)
        for found in (
            invited["invitation"]["id"],
            key["apiKey"]["id"],
            ids.encode("Team", team.id),
            ids.encode("User", admin.user_id),
            ids.encode("Workspace", admin.workspace_id),
        ):
            assert (await api.query("node(id: $id) { id }", as_=token, id=found))["node"] == {"id": found}
        assert await WorkspaceRow.filter(id=admin.workspace_id).exists()


def test_no_type_shows_a_hash() -> None:
    assert "hash" not in graphql_schema.as_str().lower()
