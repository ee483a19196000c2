"""Documents over the API: fetched by links, their templates and their logo."""

import asyncio
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from api import documents as door
from domain import documents, files, leads, proposal_links, proposals
from domain.actors import Actor
from domain.document_templates import shipped
from domain.files import Purpose
from domain.proposal_details import ProposalDetails
from models.base import uuid7
from models.documents import Document, DocumentKind, DocumentTemplate
from models.events import Event
from models.files import File
from models.users import Role
from schema import ids
from settings import settings
from tests import factories
from tests.api.serving import Client, codes
from tests.papers import draft, pages_of, picture, sent, text_of, work
from tests.proposing import link_to

pytestmark = pytest.mark.usefixtures("db")

PDF_URLS = """query($id: ID!) {
  proposal(id: $id) {
    pdfUrl
    sent {pdfUrl documents(first: 5) {nodes {kind pages missing failure renderedAt}}}
  }
}"""
SET = """mutation($input: SetDocumentTemplateInput!) {
  setDocumentTemplate(input: $input) {
    documentTemplate {kind language source isOwn version}
    userErrors {code message field}
  }
}"""
RESET = """mutation($input: ResetDocumentTemplateInput!) {
  resetDocumentTemplate(input: $input) {documentTemplate {isOwn version} userErrors {code}}
}"""
KNOWN = "{ documentTemplates {kind language isOwn version source} }"
PREVIEW = """query($kind: DocumentKind!, $language: LanguageTag, $source: String) {
  previewDocumentTemplate(kind: $kind, language: $language, source: $source) {pdf pages problem {line message}}
}"""
LOGO = """mutation($upload: ID) {
  updateSellingSettings(input: {logoUploadId: $upload}) {
    sellingSettings {logoUrl version}
    userErrors {code field}
  }
}"""
UPLOAD = """mutation($size: Float!) {
  createUpload(input: {name: "logo.png", size: $size, purpose: LOGO}) {
    upload {url fileId}
    userErrors {code}
  }
}"""


@pytest.fixture
async def admin() -> Actor:
    return await factories.seller()


async def links(client: Client, actor: Actor, proposal: Any) -> Any:
    token = await factories.bearer(actor)
    return (await client.data(PDF_URLS, {"id": ids.encode("Proposal", proposal.id)}, token=token))["proposal"]


async def fetched(client: Client, url: str) -> Any:
    """Fetch a document while a worker does what it is asked for."""
    asking = asyncio.create_task(client.http.get(urlsplit(url).path))
    while not asking.done():
        await work()
        await asyncio.sleep(0.02)
    return await asking


async def test_a_proposal_is_fetched_as_pdf_by_whoever_has_its_link(client: Client, admin: Actor) -> None:
    proposal = await sent(admin, title="Roof", language="de")
    told = await links(client, admin, proposal)
    assert told["sent"]["documents"]["nodes"] == []
    answer = await fetched(client, told["pdfUrl"])

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''Angebot%20P-2026-0001.pdf"
    assert answer.headers["cache-control"] == "private, no-store"
    assert "119,00 €" in text_of(answer.content)
    again = await client.http.get(urlsplit(told["sent"]["pdfUrl"]).path)
    assert again.content == answer.content
    [document] = (await links(client, admin, proposal))["sent"]["documents"]["nodes"]
    assert document.pop("renderedAt")
    assert document == {"kind": "PROPOSAL", "pages": 1, "missing": [], "failure": None}


async def test_a_draft_is_fetched_as_it_is(client: Client, admin: Actor) -> None:
    proposal = await draft(admin, title="Roof")
    told = await links(client, admin, proposal)
    assert told["sent"] is None
    assert "Draft" in text_of((await fetched(client, told["pdfUrl"])).content)


async def test_customers_download_what_they_were_sent(client: Client, admin: Actor) -> None:
    proposal = await sent(admin, title="Roof")
    path = proposal_links.path_of((await link_to(proposal)).id)
    page = await client.http.get(path)
    assert f'href="{path}/pdf" download' in page.text
    answer = await fetched(client, f"{path}/pdf")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    assert "Roof" in text_of(answer.content)
    assert (await client.http.get(f"{path[:-4]}AAAA/pdf")).status_code == 404
    await proposals.withdraw(admin, proposal.id, now=factories.NOW + timedelta(days=1))
    assert (await client.http.get(f"{path}/pdf")).status_code == 410


async def test_links_that_open_nothing_are_refused(client: Client, admin: Actor) -> None:
    proposal = await sent(admin)
    assert proposal.sent_id
    now = datetime.now(UTC)
    good = urlsplit(documents.url(DocumentKind.PROPOSAL, proposal.sent_id, now=now)).path
    old = urlsplit(documents.url(DocumentKind.PROPOSAL, proposal.sent_id, now=now - timedelta(hours=1))).path
    other = files.token(Purpose.DOWNLOAD, proposal.sent_id, until=now + timedelta(hours=1))
    nothing = urlsplit(documents.url(DocumentKind.INVOICE, uuid7(), now=now)).path
    for path, status in (
        (old, 410),
        (good[:-2], 404),
        (f"/documents/proposal/{other}", 404),
        (good.replace("/proposal/", "/contract/"), 404),
        (good.replace("/proposal/", "/nonsense/"), 404),
        (nothing, 404),
    ):
        assert (await client.http.get(path)).status_code == status, path
    assert await Document.filter(workspace_id=admin.workspace_id).count() == 0


async def test_without_a_worker_whoever_asks_is_told_to_come_again(
    client: Client, admin: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "PATIENCE_SECONDS", 0.3)
    told = await links(client, admin, await sent(admin))
    answer = await client.http.get(urlsplit(told["pdfUrl"]).path)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert (await fetched(client, told["pdfUrl"])).status_code == 200


async def test_what_cannot_be_typeset_is_told(client: Client, admin: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.document_templates.shipped", lambda kind: "#panic()")
    told = await links(client, admin, await sent(admin))
    assert (await fetched(client, told["pdfUrl"])).status_code == 500


async def test_a_draft_that_is_edited_while_somebody_waits_is_given_as_it_is_then(client: Client, admin: Actor) -> None:
    proposal = await draft(admin, title="Before")
    told = await links(client, admin, proposal)
    asking = asyncio.create_task(client.http.get(urlsplit(told["pdfUrl"]).path))
    while not await Document.exists(workspace_id=admin.workspace_id):
        await asyncio.sleep(0.01)
    await proposals.update(admin, proposal.id, ProposalDetails(title="After"), now=factories.NOW + timedelta(days=1))
    while not asking.done():
        await work()
        await asyncio.sleep(0.02)
    assert "After" in text_of((await asking).content)


async def test_only_who_sees_a_lead_is_given_links_to_its_documents(client: Client, admin: Actor) -> None:
    proposal = await sent(admin)
    rep, other = [await factories.member(Role.REP, of=admin) for _ in range(2)]
    await leads.assign(admin, proposal.lead_id, rep.user_id, now=factories.NOW + timedelta(days=1))
    assert (await links(client, rep, proposal))["pdfUrl"]
    assert await links(client, other, proposal) is None


async def test_templates_are_tried_before_they_are_kept(client: Client, admin: Actor) -> None:
    token = await factories.bearer(admin)

    async def put(source: str, **more: Any) -> Any:
        given = {"kind": "PROPOSAL", "source": source, **more}
        return (await client.data(SET, {"input": given}, token=token))["setDocumentTemplate"]

    for source, code, message in (
        ("= Fine\n\n#let x =", "FAULTY_DOCUMENT_TEMPLATE", "Line 3: expected expression."),
        ('#read("/etc/passwd")', "FAULTY_DOCUMENT_TEMPLATE", "Line 1: a template reads no files."),
        ('\n#import "@preview/cetz:0.2.0"', "FAULTY_DOCUMENT_TEMPLATE", "Line 2: a template loads no packages."),
        ("#json(bytes(sys.inputs.facts)).nothing", "FAULTY_DOCUMENT_TEMPLATE", "Line 1: dictionary does not contain"),
        ("𓀀", "GLYPHS_MISSING", "No font has these characters: 𓀀."),
        ("  ", "REQUIRED", ""),
        ("a" * 200_001, "TOO_LONG", ""),
    ):
        told = await put(source)
        [error] = told["userErrors"]
        assert (told["documentTemplate"], error["code"], error["field"]) == (None, code, ["source"]), error
        assert error["message"].startswith(message), error
    assert not await DocumentTemplate.exists(workspace_id=admin.workspace_id)

    mine = "#let facts = json(bytes(sys.inputs.facts))\n#facts.title"
    kept = (await put(mine, expectedVersion=0))["documentTemplate"]
    assert kept == {"kind": "PROPOSAL", "language": None, "source": mine, "isOwn": True, "version": 1}
    assert (await put(mine, language="de"))["documentTemplate"]["language"] == "de"
    [stale] = (await put(mine + " ", expectedVersion=0))["userErrors"]
    assert stale["code"] == "STALE"
    known = (await client.data(KNOWN, token=token))["documentTemplates"]
    assert [(one["kind"], one["language"], one["isOwn"]) for one in known] == [
        ("PROPOSAL", None, True),
        ("PROPOSAL", "de", True),
        ("CONTRACT", None, False),
        ("INVOICE", None, False),
    ]
    assert known[2]["source"] == shipped(DocumentKind.CONTRACT)
    assert (
        text_of(
            (await fetched(client, (await links(client, admin, await sent(admin, title="Roof")))["pdfUrl"])).content
        )
        == "Roof"
    )
    gone = await client.data(RESET, {"input": {"kind": "PROPOSAL"}}, token=token)
    assert gone["resetDocumentTemplate"] == {"documentTemplate": {"isOwn": False, "version": 0}, "userErrors": []}
    told = await Event.filter(workspace_id=admin.workspace_id, name__startswith="document").order_by("occurred_at")
    assert [event.name.partition(".")[2] for event in told] == ["set", "set", "reset"]


@pytest.mark.parametrize("language", [None, "de", "fr", "ar", "ja"])
@pytest.mark.parametrize("kind", DocumentKind)
async def test_every_template_that_ships_is_shown_with_example_facts(
    client: Client, admin: Actor, kind: DocumentKind, language: str | None
) -> None:
    told = await client.data(PREVIEW, {"kind": kind, "language": language}, token=await factories.bearer(admin))
    trial = told["previewDocumentTemplate"]
    assert trial["problem"] is None
    pdf = b64decode(trial["pdf"])
    assert pages_of(pdf) == trial["pages"] >= 1
    # What is read of Arabic pages has its words in another order.
    assert {"Northern", "Lights", "Ltd"} <= set(text_of(pdf).split())


async def test_a_faulty_template_is_shown_with_its_fault(client: Client, admin: Actor) -> None:
    told = await client.data(PREVIEW, {"kind": "INVOICE", "source": "ok\n#nope"}, token=await factories.bearer(admin))
    problem = {"line": 2, "message": "unknown variable: nope"}
    assert told["previewDocumentTemplate"] == {"pdf": None, "pages": None, "problem": problem}


async def test_templates_are_for_admins_and_managers(client: Client, admin: Actor) -> None:
    token = await factories.bearer(await factories.member(Role.REP, of=admin))
    told = await client.data(SET, {"input": {"kind": "INVOICE", "source": "x"}}, token=token)
    assert [error["code"] for error in told["setDocumentTemplate"]["userErrors"]] == ["FORBIDDEN"]
    assert codes(await client.graphql(KNOWN, token=token)) == ["FORBIDDEN"]
    assert codes(await client.graphql(PREVIEW, {"kind": "INVOICE"}, token=token)) == ["FORBIDDEN"]


async def uploaded(client: Client, actor: Actor, content: bytes) -> tuple[Any, Any]:
    token = await factories.bearer(actor)
    upload = (await client.data(UPLOAD, {"size": len(content)}, token=token))["createUpload"]["upload"]
    return upload["fileId"], await client.http.put(urlsplit(upload["url"]).path, content=content)


async def test_a_logo_is_kept_as_png_shown_in_documents_and_replaced(client: Client, admin: Actor) -> None:
    token = await factories.bearer(admin)
    plain = await fetched(client, (await links(client, admin, await sent(admin)))["pdfUrl"])
    file_id, put = await uploaded(client, admin, picture(3000, 800, "JPEG"))
    assert put.status_code == 201
    told = (await client.data(LOGO, {"upload": file_id}, token=token))["updateSellingSettings"]
    assert told["userErrors"] == []
    shown = await client.http.get(urlsplit(told["sellingSettings"]["logoUrl"]).path)
    assert shown.headers["content-type"] == "image/png"
    assert Image.open(BytesIO(shown.content)).size == (1000, 267)
    with_logo = await fetched(client, (await links(client, admin, await sent(admin)))["pdfUrl"])
    assert b"/Subtype/Image" in with_logo.content.replace(b" ", b"")
    assert b"/Subtype/Image" not in plain.content.replace(b" ", b"")

    second, _ = await uploaded(client, admin, picture(100, 100))
    await client.data(LOGO, {"upload": second}, token=token)
    first = await File.get(id=ids.decode(file_id, "File"))
    assert first.expires_at
    none = (await client.data(LOGO, {"upload": None}, token=token))["updateSellingSettings"]["sellingSettings"]
    assert none == {"logoUrl": None, "version": 3}


async def test_what_is_no_logo_is_refused(client: Client, admin: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    token = await factories.bearer(admin)
    for content, status, code in (
        (b"no picture", 415, "NOT_A_PICTURE"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "NOT_A_PICTURE"),
        (picture()[:-30], 415, "NOT_A_PICTURE"),
    ):
        file_id, put = await uploaded(client, admin, content)
        assert (put.status_code, codes(put.json())) == (status, [code])
        told = (await client.data(LOGO, {"upload": file_id}, token=token))["updateSellingSettings"]
        assert told["userErrors"] == [{"code": "UPLOAD_UNFINISHED", "field": ["logoUploadId"]}]
    too_large = (await client.data(UPLOAD, {"size": 52_428_800}, token=token))["createUpload"]
    assert [error["code"] for error in too_large["userErrors"]] == ["FILE_TOO_LARGE"]
    few = settings().model_copy(update={"max_avatar_pixels": 100})
    monkeypatch.setattr("domain.avatars.settings", lambda: few)
    _, put = await uploaded(client, admin, picture())
    assert (put.status_code, codes(put.json())) == (413, ["PICTURE_TOO_LARGE"])


async def test_a_logo_is_set_by_admins_from_their_own_uploads_for_it(client: Client, admin: Actor) -> None:
    manager = await factories.member(Role.MANAGER, of=admin)
    told = await client.data(UPLOAD, {"size": 10}, token=await factories.bearer(manager))
    assert [error["code"] for error in told["createUpload"]["userErrors"]] == ["FORBIDDEN"]
    other = await factories.seller()
    file_id, _ = await uploaded(client, other, picture())
    told = await client.data(LOGO, {"upload": file_id}, token=await factories.bearer(admin))
    assert [error["code"] for error in told["updateSellingSettings"]["userErrors"]] == ["NOT_FOUND"]
