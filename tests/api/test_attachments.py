"""Attachments and pictures of people over HTTP: announced, sent, used, and fetched by links that run out."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image
from strawberry import ID

from adapters import files as store
from domain import files, leads
from domain.actors import Actor
from domain.errors import Forbidden
from models.events import Event
from models.files import File, UploadPurpose
from models.users import Role, User
from schema import ids
from settings import settings
from tests import factories, stores
from tests.api.serving import Client, codes
from workers.tasks.forgetting import forget_files

CREATE = """mutation($input: CreateUploadInput!) {
  createUpload(input: $input) { upload { url fileId } userErrors { code field } }
}"""
ATTACH = """mutation($input: AttachFileInput!) {
  attachFile(input: $input) {
    attachment {
      id name contentType size user { id } lead { id } company { id } viewerCan { update delete } downloadUrl
    }
    userErrors { code field }
  }
}"""
FILES = """query($id: ID!) {
  lead(id: $id) { attachments(first: 10) { totalCount nodes { name downloadUrl } } }
}"""
RENAME = """mutation($id: ID!, $name: String!, $version: Int) {
  updateAttachment(input: {id: $id, name: $name, expectedVersion: $version}) {
    attachment { name version downloadUrl } userErrors { code field }
  }
}"""
DELETE = "mutation($id: ID!) { deleteAttachment(input: {id: $id}) { deletedAttachmentId userErrors { code } } }"
RESTORE = (
    "mutation($id: ID!) { restoreAttachment(input: {id: $id}) { attachment { downloadUrl } userErrors { code } } }"
)
PICTURE = """mutation($upload: ID) {
  updateMe(input: {avatarUploadId: $upload}) { user { avatarUrl version } userErrors { code field } }
}"""
TWO_GB = 2 * 1024**3


@pytest.fixture(params=stores.KINDS)
async def kind(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    async with stores.store(request.param, tmp_path):
        yield request.param


@pytest.fixture
async def admin(db: str, kind: str) -> Actor:
    return await factories.seller()


async def announced(client: Client, actor: Actor, size: int, **more: Any) -> dict[str, Any]:
    given = {"name": "note.txt", "size": size, "purpose": "ATTACHMENT", **more}
    answer = await client.data(CREATE, {"input": given}, token=await factories.bearer(actor))
    return answer["createUpload"]  # type: ignore[no-any-return]


async def sent(client: Client, actor: Actor, content: bytes, **more: Any) -> str:
    """Upload bytes as a client does, and return the file's id."""
    upload = (await announced(client, actor, len(content), **more))["upload"]
    answer = await client.http.put(urlsplit(upload["url"]).path, content=content)
    assert answer.status_code == 201, answer.text
    return upload["fileId"]  # type: ignore[no-any-return]


async def attached(client: Client, actor: Actor, subject_id: str, upload_id: str, **more: Any) -> Any:
    given = {"subjectId": subject_id, "uploadId": upload_id, **more}
    return (await client.data(ATTACH, {"input": given}, token=await factories.bearer(actor)))["attachFile"]


async def lead_of(actor: Actor) -> str:
    return ids.encode("Lead", (await factories.lead(actor, now=datetime.now(UTC))).id)


async def test_a_file_is_announced_sent_attached_fetched_removed_and_restored(client: Client, admin: Actor) -> None:
    subject, content = await lead_of(admin), b"%PDF-1.7\n" + b"x" * 700_000
    token = await factories.bearer(admin)
    upload = await sent(client, admin, content, name="offer.pdf", contentType="text/html")

    made = (await attached(client, admin, subject, upload))["attachment"]
    listed = (await client.data(FILES, {"id": subject}, token=token))["lead"]["attachments"]
    fetched = await client.http.get(urlsplit(listed["nodes"][0]["downloadUrl"]).path)

    assert (made["name"], made["contentType"], made["size"]) == ("offer.pdf", "application/pdf", len(content))
    assert (made["lead"], made["company"], made["viewerCan"]) == (
        {"id": subject},
        None,
        {"update": True, "delete": True},
    )
    assert (listed["totalCount"], fetched.content) == (1, content)
    assert fetched.headers["content-type"] == "application/pdf"
    assert fetched.headers["content-disposition"] == "attachment; filename*=UTF-8''offer.pdf"
    assert fetched.headers["x-content-type-options"] == "nosniff"
    assert fetched.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert fetched.headers["cache-control"] == "private, no-store"

    gone = (await client.data(DELETE, {"id": made["id"]}, token=token))["deleteAttachment"]
    assert gone == {"deletedAttachmentId": made["id"], "userErrors": []}
    assert (await client.data(FILES, {"id": subject}, token=token))["lead"]["attachments"]["totalCount"] == 0
    await forget_files(now=datetime.now(UTC) + timedelta(days=29))
    back = (await client.data(RESTORE, {"id": made["id"]}, token=token))["restoreAttachment"]["attachment"]
    assert (await client.http.get(urlsplit(back["downloadUrl"]).path)).content == content
    await forget_files(now=datetime.now(UTC) + timedelta(days=400))
    assert (await client.http.get(urlsplit(back["downloadUrl"]).path)).status_code == 200

    await client.data(DELETE, {"id": made["id"]}, token=token)
    await forget_files(now=datetime.now(UTC) + timedelta(days=31))
    assert (await client.http.get(urlsplit(back["downloadUrl"]).path)).status_code == 404
    refused = (await client.data(RESTORE, {"id": made["id"]}, token=token))["restoreAttachment"]
    assert [error["code"] for error in refused["userErrors"]] == ["FILE_FORGOTTEN"]


async def test_a_file_is_renamed_by_who_may_also_for_whoever_saves_it(client: Client, admin: Actor) -> None:
    subject = await lead_of(admin)
    token = await factories.bearer(admin)
    made = (await attached(client, admin, subject, await sent(client, admin, b"x", name="scan.txt")))["attachment"]

    renamed = await client.data(RENAME, {"id": made["id"], "name": "Offer März.txt", "version": 1}, token=token)
    again = await client.data(RENAME, {"id": made["id"], "name": "Offer März.txt"}, token=token)
    stale = await client.data(RENAME, {"id": made["id"], "name": "other", "version": 1}, token=token)
    empty = await client.data(RENAME, {"id": made["id"], "name": " "}, token=token)
    viewer = await factories.bearer(await factories.member(Role.VIEWER, of=admin))
    refused = await client.data(RENAME, {"id": made["id"], "name": "mine"}, token=viewer)

    kept = renamed["updateAttachment"]["attachment"]
    assert (kept["name"], kept["version"]) == ("Offer März.txt", 2)
    assert again["updateAttachment"]["attachment"]["version"] == 2
    assert stale["updateAttachment"]["userErrors"] == [{"code": "STALE", "field": ["expectedVersion"]}]
    assert stale["updateAttachment"]["attachment"]["name"] == "Offer März.txt"
    assert [error["code"] for error in empty["updateAttachment"]["userErrors"]] == ["REQUIRED"]
    assert [error["code"] for error in refused["updateAttachment"]["userErrors"]] == ["FORBIDDEN"]
    fetched = await client.http.get(urlsplit(kept["downloadUrl"]).path)
    assert fetched.headers["content-disposition"] == "attachment; filename*=UTF-8''Offer%20M%C3%A4rz.txt"
    [told] = await Event.filter(name="lead.file_renamed", workspace_id=admin.workspace_id)
    assert (told.data["name_before"], told.data["name"]) == ("scan.txt", "Offer März.txt")


@pytest.mark.parametrize("kind", ["database"], indirect=True)
@pytest.mark.parametrize(
    ("content", "declared", "kind_of_it"),
    [
        (b"<!DOCTYPE html><script>alert(1)</script>", "text/plain", "text/html"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>', "image/png", "image/svg+xml"),
        (b"<?xml version='1.0'?><a/>", "application/pdf", "application/xml"),
    ],
)
async def test_what_a_browser_would_run_is_only_saved(
    client: Client, admin: Actor, content: bytes, declared: str, kind_of_it: str
) -> None:
    upload = await sent(client, admin, content, name="page.html", contentType=declared)

    made = (await attached(client, admin, await lead_of(admin), upload))["attachment"]
    fetched = await client.http.get(urlsplit(made["downloadUrl"]).path)

    assert made["contentType"] == kind_of_it
    assert fetched.headers["content-type"] == "application/octet-stream"
    assert fetched.headers["content-disposition"].startswith("attachment;")
    assert "sandbox" in fetched.headers["content-security-policy"]


@pytest.mark.parametrize("kind", ["database"], indirect=True)
@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ('a"b;c\\d.pdf', "a%22b%3Bc%5Cd.pdf"),
        ("../../etc/passwd", "..%2F..%2Fetc%2Fpasswd"),
        ("عرض.pdf", "%D8%B9%D8%B1%D8%B6.pdf"),
    ],
)
async def test_odd_names_break_no_header(client: Client, admin: Actor, name: str, encoded: str) -> None:
    upload = await sent(client, admin, b"x")

    made = (await attached(client, admin, await lead_of(admin), upload, name=name))["attachment"]
    fetched = await client.http.get(urlsplit(made["downloadUrl"]).path)

    assert made["name"] == name
    assert fetched.headers["content-disposition"] == f"attachment; filename*=UTF-8''{encoded}"


@pytest.mark.parametrize("kind", ["database"], indirect=True)
async def test_two_gigabytes_are_refused_before_any_of_them_is_read(client: Client, server: str, admin: Actor) -> None:
    for size in (TWO_GB, TWO_GB - 1, settings().max_attachment_bytes + 1):
        refused = await announced(client, admin, size)
        assert refused == {"upload": None, "userErrors": [{"code": "FILE_TOO_LARGE", "field": ["size"]}]}

    upload = (await announced(client, admin, 10))["upload"]
    address = urlsplit(server)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    path = urlsplit(upload["url"]).path
    writer.write(f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {TWO_GB}\r\n\r\n".encode())
    # Nothing of the body is sent.
    told = await asyncio.wait_for(reader.readuntil(b"FILE_TOO_LARGE"), 10)
    writer.close()

    assert told.startswith(b"HTTP/1.1 413 ")
    assert await File.filter(workspace_id=admin.workspace_id).count() == 1


@pytest.mark.parametrize("kind", ["database"], indirect=True)
async def test_each_purpose_is_for_who_may(client: Client, admin: Actor) -> None:
    rep, viewer = await factories.member(Role.REP, of=admin), await factories.member(Role.VIEWER, of=admin)
    partner = await factories.partner("attachment:write", of=admin)

    async def told(actor: Actor, purpose: str) -> list[str]:
        return [error["code"] for error in (await announced(client, actor, 1, purpose=purpose))["userErrors"]]

    assert [await told(rep, one) for one in ("IMPORT", "ATTACHMENT", "AVATAR")] == [["FORBIDDEN"], [], []]
    refused = [await told(viewer, one) for one in ("IMPORT", "ATTACHMENT", "AVATAR")]
    assert refused == [["FORBIDDEN"], ["FORBIDDEN"], []]
    with pytest.raises(Forbidden):
        await files.create_upload(partner, name="a.png", size=1, purpose=UploadPurpose.AVATAR, now=datetime.now(UTC))


@pytest.mark.parametrize("kind", ["database"], indirect=True)
async def test_links_to_files_are_made_for_those_who_see_what_they_hang_on(client: Client, admin: Actor) -> None:
    rep, other = await factories.member(Role.REP, of=admin), await factories.member(Role.REP, of=admin)
    subject = await lead_of(admin)
    key = ids.decode(ID(subject), "Lead")
    await leads.assign(admin, key, rep.user_id, now=datetime.now(UTC))
    made = (await attached(client, rep, subject, await sent(client, rep, b"x")))["attachment"]
    node = "query($id: ID!) { node(id: $id) { ... on Attachment { name downloadUrl } } }"
    listed = "{ attachments { nodes { downloadUrl } } }"

    async def seen(actor: Actor) -> Any:
        token = await factories.bearer(actor)
        told = (await client.data(listed, token=token))["attachments"]["nodes"]
        return (await client.data(node, {"id": made["id"]}, token=token))["node"], told

    assert await seen(other) == (None, [])
    one, [same] = await seen(rep)
    assert one["downloadUrl"].rsplit("/", 1)[0] == same["downloadUrl"].rsplit("/", 1)[0]
    await leads.delete(admin, key, now=datetime.now(UTC))
    assert await seen(admin) == (None, [])


def picture(width: int = 300, height: int = 200, kind: str = "PNG") -> bytes:
    out = BytesIO()
    Image.effect_noise((width, height), 60).convert("RGB").save(out, kind)
    return out.getvalue()


async def test_a_picture_of_oneself_is_made_small_shown_and_replaced(client: Client, admin: Actor) -> None:
    token, now = await factories.bearer(admin), datetime.now(UTC)
    content = picture()
    upload = (await announced(client, admin, len(content), name="me.png", purpose="AVATAR"))["upload"]
    path = urlsplit(upload["url"]).path
    answers = [await client.http.put(path, content=content) for _ in range(2)]
    other = await client.http.put(path, content=picture(kind="JPEG"))
    assert [answer.status_code for answer in (*answers, other)] == [201, 200, 409]

    first = (await client.data(PICTURE, {"upload": upload["fileId"]}, token=token))["updateMe"]["user"]
    same = (await client.data(PICTURE, {"upload": upload["fileId"]}, token=token))["updateMe"]["user"]
    shown = await client.http.get(urlsplit(first["avatarUrl"]).path)
    assert same == first
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/webp")
    assert shown.headers["cache-control"] == "private, max-age=86400, immutable"
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert "content-disposition" not in shown.headers
    assert Image.open(BytesIO(shown.content)).size == (256, 256)
    assert len(shown.content) == int(shown.headers["content-length"]) < len(content)
    await forget_files(now=now + timedelta(days=400))
    assert (await client.http.get(urlsplit(first["avatarUrl"]).path)).status_code == 200

    again = await sent(client, admin, picture(50, 50, "GIF"), name="me.gif", purpose="AVATAR")
    second = (await client.data(PICTURE, {"upload": again}, token=token))["updateMe"]["user"]
    assert second["avatarUrl"] != first["avatarUrl"]
    await forget_files(now=now + timedelta(minutes=1))
    assert (await client.http.get(urlsplit(first["avatarUrl"]).path)).status_code == 404
    none = (await client.data(PICTURE, {"upload": None}, token=token))["updateMe"]["user"]
    await forget_files(now=now + timedelta(minutes=1))
    assert (none["avatarUrl"], none["version"]) == (None, 4)
    assert not await File.filter(workspace_id=admin.workspace_id).exists()
    assert (await User.get(id=admin.user_id)).avatar_id is None


async def test_pictures_that_are_none_or_too_much_leave_nothing(
    client: Client, admin: Actor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = settings().model_copy(update={"max_avatar_pixels": 100})
    monkeypatch.setattr("domain.avatars.settings", lambda: few)
    for content, status, code in (
        (b"PK\x03\x04" + b"\0" * 5000, 415, "NOT_A_PICTURE"),
        (b"<svg/>", 415, "NOT_A_PICTURE"),
        (picture(50, 50), 413, "PICTURE_TOO_LARGE"),
    ):
        upload = (await announced(client, admin, len(content), name="me.png", purpose="AVATAR"))["upload"]
        answer = await client.http.put(urlsplit(upload["url"]).path, content=content)
        assert (answer.status_code, codes(answer.json())) == (status, [code])
        told = await client.data(PICTURE, {"upload": upload["fileId"]}, token=await factories.bearer(admin))
        assert [error["code"] for error in told["updateMe"]["userErrors"]] == ["UPLOAD_UNFINISHED"]
    assert await File.filter(workspace_id=admin.workspace_id).count() == 3
    assert stores.names(tmp_path) == []
    too_many = await announced(client, admin, settings().max_avatar_bytes + 1, purpose="AVATAR")
    assert [error["code"] for error in too_many["userErrors"]] == ["FILE_TOO_LARGE"]


@pytest.mark.parametrize("kind", ["database"], indirect=True)
async def test_several_pictures_at_once_are_all_made(client: Client, admin: Actor) -> None:
    uploads = await asyncio.gather(
        *(sent(client, admin, picture(400 + n, 300), name="me.png", purpose="AVATAR") for n in range(4))
    )

    rows = [await File.get(id=ids.decode(ID(upload), "File")) for upload in uploads]
    for row in rows:
        data = b"".join([part async for part in await store.open(row)])
        assert (row.content_type, row.size, data[:4]) == ("image/webp", len(data), b"RIFF")
