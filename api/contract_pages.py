"""The page on which a customer reads a contract and signs it: without scripts.

What is signed is what was seen: the form bears the contract's id and its SHA-256. Where another contract has taken its
place, the page is shown again and nothing is signed.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.proposal_pages import accepted_language, message, refused
from api.proposal_shown import HIDDEN, buyer_of, colors_of, lines_of, sums_of
from api.public_pages import form_of, page
from api.refusals import Refusal
from domain import contracts, document_facts, proposal_links, public_contracts, public_proposals
from domain.contracts import ContractChanged, ContractOver, Signing
from domain.document_formats import Formats, formats
from domain.errors import DomainError, Invalid, NotFound, Required, TooLong
from domain.public_contracts import NoContract, OpenedContract
from models.contracts import ContractState

# As much of the budget that all requests of an address share as a page of a hundred rows.
COST = 100


async def contract(request: Request) -> Response:
    """Show the contract of a link's proposal, and take the buyer's signature."""
    now, address = datetime.now(UTC), request.client.host if request.client else ""
    told = accepted_language(request)
    try:
        await request.app.state.budget.spend(f"address:{address}", COST)
        found = await public_contracts.opened(request.path_params["token"], now=now)
        told = formats(found.contract.language)
        if request.method == "POST":
            return await _signed(request, found, told, address=address, now=now)
        return _shown(found, told, just_now="signed" in request.query_params and found.buyer is not None)
    except NoContract:
        return _none(told)
    except (DomainError, Refusal) as error:
        return refused(error, told)


async def _signed(request: Request, found: OpenedContract, told: Formats, *, address: str, now: datetime) -> Response:
    fields = await form_of(request)
    signing = Signing(
        name=fields.get("name"),
        sha256=fields.get("sha256"),
        address=address,
        user_agent=request.headers.get("user-agent"),
    )
    assert found.on.link
    try:
        await contracts.sign_by_link(found.on.link, _id(fields.get("contract")), signing, now=now)
    except (ContractChanged, ContractOver, NotFound):
        again = await public_contracts.opened(request.path_params["token"], now=now)
        notice = told.said(
            "The contract has changed since you opened it, and nothing was signed. This is how it stands."
        )
        return _shown(again, formats(again.contract.language), notice=notice, status=409)
    except DomainError as error:
        return _shown(found, told, fields=fields, faults=_faults(error, told), status=422)
    return RedirectResponse("?signed=1#sign", 303, headers={"Cache-Control": "no-store", **HIDDEN})


def _overtaken(told: Formats) -> str:
    return told.said("The contract has changed since you opened it, and nothing was signed. This is how it stands.")


def _id(given: str | None) -> UUID:
    try:
        return UUID(given or "")
    except ValueError:
        return UUID(int=0)


def _faults(error: DomainError, told: Formats) -> dict[str, str]:
    """Return what is wrong by the id of the input that it is wrong with."""
    fault = error.faults[0] if isinstance(error, Invalid) else error
    return {"sign-name": _fault(fault, told)}


def _fault(fault: DomainError, told: Formats) -> str:
    match fault:
        case Required():
            return told.said("Type your name.")
        case TooLong():
            return told.said("Use at most %(limit)s characters.", limit=fault.facts["limit"])
    return told.said("This cannot be read: write it in plain words.")


def _shown(
    found: OpenedContract,
    told: Formats,
    *,
    fields: Mapping[str, str] | None = None,
    faults: Mapping[str, str] | None = None,
    notice: str = "",
    just_now: bool = False,
    status: int = 200,
) -> Response:
    on, contract = found.on, found.contract
    assert on.link
    totals = public_proposals.totals(on.version, on.lines, on.chosen)
    shown = zip(lines_of(on, totals, told), totals.lines, strict=True)
    lines = [line for line, total in shown if total.counts]
    return page(
        "contract",
        status,
        sheet="proposal",
        colors=colors_of(on.selling.color),
        pictures=True,
        headers=HIDDEN,
        _=told.said,
        words=told.words,
        blocks=document_facts.blocks,
        language=contract.language,
        company=str(on.seller["name"]),
        seller=on.seller,
        address=told.address(on.seller.get("address")),
        buyer=buyer_of(on),
        here=proposal_links.path_of(on.link.id),
        has_logo=on.selling.logo_id is not None,
        heading=contract.title,
        contract=contract,
        proposal=on.proposal.number,
        zone=on.home.time_zone,
        is_open=found.can_be_signed,
        is_cancelled=contract.state is ContractState.CANCELLED,
        is_signed=contract.state is ContractState.SIGNED,
        sides=[(str(on.seller["name"]), found.seller), (" · ".join(map(told.isolated, buyer_of(on))), found.buyer)],
        sections=on.version.sections,
        lines=lines,
        has_discounts=any(line.discount for line in lines),
        has_taxes=any(line.tax for line in lines),
        sums=sums_of(on, totals, told),
        total=told.words.money(contract.total, contract.currency),
        fields=dict(fields or {}),
        faults=dict(faults or {}),
        notice=notice,
        just_now=just_now,
    )


def _none(told: Formats) -> Response:
    more = told.said("Whoever sent you this link will tell you when there is one.")
    return message(told, 404, told.said("There is no contract to sign yet"), more)
