"""What customers answer to proposals: taken once, as evidence of what they saw, whoever comes at once."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from domain import (
    leads,
    proposal_answers,
    proposal_expiry,
    proposal_links,
    proposal_versions,
    proposals,
    public_proposals,
)
from domain.errors import DomainError, Forbidden, Invalid, Malformed, NotFound, RateLimited, Required, TooLong
from domain.proposal_answers import (
    HOURLY_QUESTIONS,
    Given,
    NoSuchOption,
    NoSuchVersion,
    ProposalAlreadyAccepted,
    ProposalAlreadyDeclined,
    ProposalChanged,
    ProposalExpired,
    QuestionAnswered,
    TooManyQuestions,
)
from domain.proposal_details import ProposalDetails
from domain.proposal_lines import Discount
from domain.proposal_links import ProposalNotSent
from domain.public_proposals import ProposalWithdrawn, PublicState
from domain.tokens import EndedLink, InvalidLink
from models.base import uuid7
from models.events import Event
from models.proposal_links import Evidence, EvidenceKind, Party, ProposalQuestion
from models.proposals import Proposal, ProposalLine, ProposalState, ProposalVersion
from models.users import Role
from tests.factories import NOW, events, member, seller
from tests.proposing import BROWSER, DAY, accepted, buyer, line, link_to, offered, option, roof, sent_of

pytestmark = pytest.mark.usefixtures("db")


async def given(proposal: Proposal, name: str | None = "Ada Lovelace", **said: Any) -> Given:
    """Return an answer to the version that is sent."""
    return Given(name=name, sha256=(await sent_of(proposal)).sha256, **said)


async def keys(proposal: Proposal) -> dict[str, UUID]:
    return {row.name: row.key for row in await ProposalLine.filter(version_id=proposal.sent_id)}


async def told(proposal: Proposal, name: str) -> list[Event]:
    return [event for event in await events(proposal.lead_id) if event.name == name]


async def test_acceptance_is_kept_as_evidence_with_the_options_and_what_it_comes_to() -> None:
    actor = await seller()
    proposal = await offered(actor, *roof(), discount=Discount(percent=Decimal(3)))
    link, version, key = await link_to(proposal), await sent_of(proposal), await keys(proposal)
    chosen = [key["Wallbox 11 kW"], key["Maintenance for five years"]]

    said = Given(
        name=" Ada Lovelace ",
        sha256=version.sha256,
        options=chosen,
        address="203.0.113.9",
        user_agent=BROWSER,
        consent="I accept.",
    )
    evidence = await proposal_answers.accept(link.id, said, now=NOW + DAY)

    lines = await ProposalLine.filter(version_id=version.id).order_by("position")
    totals = public_proposals.totals(version, lines, chosen)
    usual = public_proposals.totals(version, lines, public_proposals.usual(lines))
    assert usual.total == version.total != totals.total
    assert (evidence.kind, evidence.party, evidence.name) == (EvidenceKind.ACCEPTED, Party.BUYER, "Ada Lovelace")
    assert (evidence.address, evidence.user_agent, evidence.created_at) == ("203.0.113.9", BROWSER, NOW + DAY)
    assert (evidence.sha256, evidence.total, evidence.link_id) == (version.sha256, totals.total, link.id)
    kept = await Evidence.get(id=evidence.id)
    assert set(kept.facts["options"]) == {str(one) for one in chosen}
    assert (kept.facts["net"], kept.facts["consent"]) == (str(totals.net), "I accept.")
    after = await Proposal.get(id=proposal.id)
    assert (after.state, after.net, after.total) == (ProposalState.ACCEPTED, totals.net, totals.total)
    assert (after.ended_at, after.due_at) == (NOW + DAY, None)
    assert (await sent_of(proposal)).state is ProposalState.ACCEPTED
    [event] = await told(proposal, "proposal.accepted")
    assert (event.subject_type, event.subject_id, event.actor["link"]) == ("lead", proposal.lead_id, str(link.id))
    assert event.data["evidence_id"] == str(evidence.id) and "Ada" not in str(event.data)
    assert Decimal(event.data["net"]) == totals.net
    seen = await public_proposals.by_id(link.id, now=NOW + 60 * DAY)
    assert (seen.state, seen.chosen) == (PublicState.ACCEPTED, frozenset(chosen))
    # What was frozen is as it was.
    assert proposal_versions.is_genuine(after, await sent_of(proposal), lines)
    assert await public_proposals.accepted(await sent_of(proposal)) == totals


async def test_without_a_word_on_options_those_of_the_seller_are_taken() -> None:
    proposal = await offered(await seller(), line(), option(chosen=True), option("Other", "5"))
    evidence = await accepted(proposal)
    assert evidence.facts["options"] == [str((await keys(proposal))["Wallbox 11 kW"])]
    assert evidence.total == (await sent_of(proposal)).total


async def test_the_same_pressed_often_at_once_is_accepted_once() -> None:
    proposal = await offered(await seller())
    link, said = await link_to(proposal), await given(proposal)
    made = await asyncio.gather(*(proposal_answers.accept(link.id, said, now=NOW) for _ in range(8)))
    assert {one.id for one in made} == {(await Evidence.get(proposal_id=proposal.id)).id}
    assert len(await told(proposal, "proposal.accepted")) == 1


async def test_of_two_at_once_one_wins_and_the_other_is_told_who() -> None:
    actor = await seller()
    proposal = await offered(actor)
    links = [await link_to(proposal), await proposal_links.create(actor, proposal.id, now=NOW)]
    names = ["Ada Lovelace", "Charles Babbage"]
    answers = [
        proposal_answers.accept(link.id, await given(proposal, name), now=NOW)
        for link, name in zip(links, names, strict=True)
    ]
    found = await asyncio.gather(*answers, return_exceptions=True)
    [won] = [one for one in found if isinstance(one, Evidence)]
    [lost] = [one for one in found if isinstance(one, ProposalAlreadyAccepted)]
    assert lost.facts["name"] == won.name
    assert (await Evidence.get(proposal_id=proposal.id)).name == won.name


@pytest.mark.parametrize("other", [{"name": "Charles Babbage"}, {"options": ()}])
async def test_another_answer_after_acceptance_is_told_who_accepted(other: dict[str, Any]) -> None:
    proposal = await offered(await seller(), line(), option(chosen=True))
    await accepted(proposal)
    with pytest.raises(ProposalAlreadyAccepted):
        await accepted(proposal, **other)
    with pytest.raises(ProposalAlreadyAccepted):
        await proposal_answers.decline((await link_to(proposal)).id, await given(proposal), now=NOW)


async def test_an_old_version_cannot_be_accepted_nor_declined() -> None:
    actor = await seller()
    proposal = await offered(actor)
    link, old = await link_to(proposal), await given(proposal)
    await proposals.update(actor, proposal.id, ProposalDetails(title="Larger roof"), now=NOW)
    # A draft of the next one changes nothing for customers.
    assert (await public_proposals.by_id(link.id, now=NOW)).version.id == proposal.sent_id
    await proposals.send(actor, proposal.id, now=NOW)
    new = await sent_of(proposal)
    for act in (proposal_answers.accept, proposal_answers.decline):
        with pytest.raises(ProposalChanged) as refused:
            await act(link.id, old, now=NOW)
        assert refused.value.facts["sha256"] == new.sha256 != old.sha256
    assert await Evidence.filter(proposal_id=proposal.id).count() == 0
    assert (await proposal_answers.accept(link.id, await given(proposal), now=NOW)).version_id == new.id


async def test_accepting_keeps_a_draft_of_the_next_version_that_was_never_sent() -> None:
    actor = await seller()
    proposal = await offered(actor)
    await proposals.update(actor, proposal.id, ProposalDetails(title="Larger roof"), now=NOW)
    evidence = await accepted(proposal)
    kept = await ProposalVersion.get(proposal_id=proposal.id, number=2)
    assert (kept.title, kept.state) == ("Larger roof", ProposalState.SUPERSEDED)
    assert kept.frozen_at is not None
    assert await ProposalLine.filter(version_id=kept.id).count() > 0
    after = await Proposal.get(id=proposal.id)
    assert (after.state, after.current_id, after.title) == (
        ProposalState.ACCEPTED,
        evidence.version_id,
        proposal.title,
    )


async def test_sent_anew_and_accepted_at_once_one_of_both_comes_first() -> None:
    actor = await seller()
    proposal = await offered(actor)
    await proposals.update(actor, proposal.id, ProposalDetails(title="Larger roof"), now=NOW)
    link, old = await link_to(proposal), await given(proposal)
    found = await asyncio.gather(
        proposal_answers.accept(link.id, old, now=NOW),
        proposals.send(actor, proposal.id, now=NOW),
        return_exceptions=True,
    )
    assert sum(isinstance(one, DomainError) for one in found) == 1, found
    state = (await Proposal.get(id=proposal.id)).state
    assert state is (ProposalState.ACCEPTED if isinstance(found[0], Evidence) else ProposalState.SENT)


async def test_revoked_or_withdrawn_at_once_nothing_is_half_done() -> None:
    actor = await seller()
    for end in (
        lambda proposal, link: proposal_links.revoke(actor, link.id, now=NOW),
        lambda proposal, link: proposals.withdraw(actor, proposal.id, now=NOW),
    ):
        proposal = await offered(actor)
        link, said = await link_to(proposal), await given(proposal)
        found = await asyncio.gather(
            proposal_answers.accept(link.id, said, now=NOW), end(proposal, link), return_exceptions=True
        )
        was_accepted = (await Proposal.get(id=proposal.id)).state is ProposalState.ACCEPTED
        assert was_accepted == isinstance(found[0], Evidence)
        assert was_accepted == await Evidence.filter(proposal_id=proposal.id).exists()
        assert len(await told(proposal, "proposal.accepted")) == was_accepted


async def test_what_fails_on_the_way_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    proposal = await offered(await seller())

    async def crash(*_: Any, **__: Any) -> None:
        raise ConnectionError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(leads, "tell", crash)
        with pytest.raises(ConnectionError):
            await accepted(proposal)
    assert (await Proposal.get(id=proposal.id)).state is ProposalState.SENT
    assert not await Evidence.filter(proposal_id=proposal.id).exists()
    assert (await accepted(proposal)).kind is EvidenceKind.ACCEPTED


async def test_what_is_not_valid_any_more_cannot_be_accepted_even_before_it_is_swept() -> None:
    actor = await seller()
    proposal = await offered(actor, valid_until=NOW.date() + DAY)
    link, said = await link_to(proposal), await given(proposal)
    last = NOW.replace(hour=23, minute=59, second=59) + DAY
    assert (await public_proposals.by_id(link.id, now=last)).state is PublicState.OPEN
    late = last + timedelta(seconds=1)
    with pytest.raises(ProposalExpired):
        await proposal_answers.accept(link.id, said, now=late)
    await proposal_expiry.expire_due(late)
    with pytest.raises(ProposalExpired):
        await proposal_answers.decline(link.id, said, now=late)
    assert (await public_proposals.by_id(link.id, now=late)).state is PublicState.EXPIRED


async def test_links_that_ended_answer_nothing() -> None:
    actor = await seller()
    proposal = await offered(actor)
    link, said = await link_to(proposal), await given(proposal)
    with pytest.raises(InvalidLink):
        await proposal_answers.accept(uuid7(), said, now=NOW)
    with pytest.raises(EndedLink):
        await proposal_answers.accept(link.id, said, now=NOW + 366 * DAY)
    await proposals.withdraw(actor, proposal.id, now=NOW)
    for act in (proposal_answers.accept, proposal_answers.decline):
        with pytest.raises(ProposalWithdrawn):
            await act(link.id, said, now=NOW)
    with pytest.raises(ProposalWithdrawn):
        await proposal_answers.ask(link.id, name="Ada", text="Why?", now=NOW)
    await proposal_links.revoke(actor, link.id, now=NOW)
    with pytest.raises(EndedLink):
        await proposal_answers.accept(link.id, said, now=NOW)
    with pytest.raises(EndedLink):
        await proposal_answers.ask(link.id, name="Ada", text="Why?", now=NOW)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"name": None}, Required),
        ({"name": "  "}, Required),
        ({"name": "x" * 201}, TooLong),
        ({"name": "Ada\nLovelace"}, Malformed),
        ({"name": "Ada\u202eecalevoL"}, Malformed),
        ({"sha256": None}, Required),
        ({"sha256": "nonsense"}, Malformed),
        ({"sha256": "0" * 64}, NoSuchVersion),
        ({"options": [uuid7()]}, NoSuchOption),
        ({"name": "", "options": [uuid7(), uuid7()]}, Invalid),
    ],
)
async def test_what_cannot_be_taken_is_refused_and_changes_nothing(
    said: dict[str, Any], error: type[DomainError]
) -> None:
    proposal = await offered(await seller())
    known = {"name": "Ada", "sha256": (await sent_of(proposal)).sha256}
    with pytest.raises(error):
        await proposal_answers.accept((await link_to(proposal)).id, Given(**(known | said)), now=NOW)
    assert (await Proposal.get(id=proposal.id)).state is ProposalState.SENT


async def test_a_line_that_is_not_optional_is_no_option() -> None:
    proposal = await offered(await seller())
    with pytest.raises(NoSuchOption) as refused:
        await accepted(proposal, options=[(await keys(proposal))["Solar panel 440 W"]])
    assert refused.value.field == ("options", "0")


async def test_declining_keeps_the_reason_and_is_done_once() -> None:
    proposal = await offered(await seller())
    link, said = await link_to(proposal), await given(proposal, None, reason=" Too dear. ", address="203.0.113.9")
    with pytest.raises(Required, match="reason"):
        await proposal_answers.decline(link.id, await given(proposal, None, reason=" "), now=NOW)
    made = [await proposal_answers.decline(link.id, said, now=NOW) for _ in range(2)]
    assert made[0].id == made[1].id
    evidence = await Evidence.get(proposal_id=proposal.id)
    assert (evidence.kind, evidence.name, evidence.facts) == (EvidenceKind.DECLINED, "", {"reason": "Too dear."})
    after = await Proposal.get(id=proposal.id)
    assert (after.state, after.ended_at) == (ProposalState.DECLINED, NOW)
    [event] = await told(proposal, "proposal.declined")
    assert "dear" not in str(event.data)
    with pytest.raises(ProposalAlreadyDeclined):
        await accepted(proposal)


async def test_a_member_records_what_a_customer_said_and_the_evidence_names_them() -> None:
    actor = await seller()
    proposal = await offered(actor)
    with pytest.raises(NoSuchVersion):
        await proposal_answers.accept_for(actor, proposal.id, Given(name="Ada", sha256="0" * 64), now=NOW)
    evidence = await proposal_answers.accept_for(actor, proposal.id, Given(name="Ada Lovelace"), now=NOW)
    assert (evidence.user_id, evidence.link_id, evidence.party) == (actor.user_id, None, Party.BUYER)
    assert evidence.sha256 == (await sent_of(proposal)).sha256
    again = await proposal_answers.accept_for(actor, proposal.id, Given(name="Ada Lovelace"), now=NOW)
    assert again.id == evidence.id
    with pytest.raises(ProposalAlreadyAccepted):
        await accepted(proposal)
    other = await offered(actor)
    declined = await proposal_answers.decline_for(actor, other.id, Given(reason="Called: no."), now=NOW)
    assert (declined.user_id, declined.facts["reason"]) == (actor.user_id, "Called: no.")


async def test_members_record_answers_only_where_they_may() -> None:
    actor = await seller()
    proposal = await offered(actor)
    rep, viewer, stranger = await member(Role.REP, of=actor), await member(Role.VIEWER, of=actor), await seller()
    said = Given(name="Ada")
    for act in (proposal_answers.accept_for, proposal_answers.decline_for):
        with pytest.raises(Forbidden):
            await act(viewer, proposal.id, said, now=NOW)
        for who in (rep, stranger):
            with pytest.raises(NotFound):
                await act(who, proposal.id, said, now=NOW)
    draft = await proposals.create(
        actor, (await buyer(actor)).id, ProposalDetails(), currency="EUR", lines=[line()], now=NOW
    )
    with pytest.raises(ProposalNotSent):
        await proposal_answers.accept_for(actor, draft.id, said, now=NOW)


# Questions


async def test_a_question_is_asked_once_and_its_answer_is_there_for_all_who_have_a_link() -> None:
    actor = await seller()
    proposal = await offered(actor)
    link, other = await link_to(proposal), await proposal_links.create(actor, proposal.id, now=NOW)
    asked = [
        await proposal_answers.ask(link.id, name="Ada", text=" Who fits it?\nYou? ", now=NOW + n * timedelta(seconds=1))
        for n in range(2)
    ]
    assert asked[0].id == asked[1].id and asked[0].text == "Who fits it?\nYou?"
    first = await proposal_answers.answer_question(actor, asked[0].id, answer="We do.", now=NOW + DAY)
    assert (first.answer, first.answered_by_id, first.answered_at) == ("We do.", actor.user_id, NOW + DAY)
    same = await proposal_answers.answer_question(actor, asked[0].id, answer="We do.", now=NOW + 2 * DAY)
    assert same.answered_at == NOW + DAY
    with pytest.raises(QuestionAnswered):
        await proposal_answers.answer_question(actor, asked[0].id, answer="Others.", now=NOW)
    await proposal_answers.answer_question(actor, asked[0].id, answer="We do!", replace=True, now=NOW + DAY)
    shown = (await public_proposals.by_id(other.id, now=NOW + DAY)).questions
    assert [(one.name, one.text, one.answer) for one in shown] == [("Ada", "Who fits it?\nYou?", "We do!")]
    names = [event.name for event in await events(proposal.lead_id)]
    assert (names.count("proposal.question_asked"), names.count("proposal.question_answered")) == (1, 2)
    assert "fits" not in str([event.data for event in await events(proposal.lead_id)])


async def test_questions_are_limited_by_the_hour_and_altogether(monkeypatch: pytest.MonkeyPatch) -> None:
    proposal = await offered(await seller())
    link = await link_to(proposal)
    for number in range(HOURLY_QUESTIONS):
        at = NOW + number * timedelta(minutes=1)
        await proposal_answers.ask(link.id, name="Ada", text=f"Question {number}?", now=at)
    with pytest.raises(RateLimited) as refused:
        await proposal_answers.ask(link.id, name="Ada", text="One more?", now=NOW + timedelta(minutes=30))
    assert refused.value.facts["seconds"] == 1800
    await proposal_answers.ask(link.id, name="Ada", text="One more?", now=NOW + timedelta(minutes=60))
    monkeypatch.setattr(proposal_answers, "MOST_QUESTIONS", HOURLY_QUESTIONS + 1)
    with pytest.raises(TooManyQuestions):
        await proposal_answers.ask(link.id, name="Ada", text="And another?", now=NOW + DAY)


async def test_many_questions_at_once_are_no_more_than_are_allowed() -> None:
    proposal = await offered(await seller())
    link = await link_to(proposal)
    found = await asyncio.gather(
        *(proposal_answers.ask(link.id, name="Ada", text=f"Question {n}?", now=NOW) for n in range(15)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, RateLimited) for one in found) == 5
    assert await ProposalQuestion.filter(proposal_id=proposal.id).count() == HOURLY_QUESTIONS


async def test_an_empty_question_and_one_too_long_are_refused_with_everything_at_once() -> None:
    link = await link_to(await offered(await seller()))
    for name, text in ((None, " "), ("x" * 300, "y" * 2001)):
        with pytest.raises(Invalid) as refused:
            await proposal_answers.ask(link.id, name=name, text=text, now=NOW)
        assert {fault.field for fault in refused.value.faults} == {("name",), ("text",)}


async def test_who_may_not_answer_questions_does_not() -> None:
    actor = await seller()
    link = await link_to(await offered(actor))
    question = await proposal_answers.ask(link.id, name="Ada", text="Why?", now=NOW)
    viewer, stranger = await member(Role.VIEWER, of=actor), await seller()
    with pytest.raises(Forbidden):
        await proposal_answers.answer_question(viewer, question.id, answer="So.", now=NOW)
    with pytest.raises(NotFound):
        await proposal_answers.answer_question(stranger, question.id, answer="So.", now=NOW)
    with pytest.raises(Required):
        await proposal_answers.answer_question(actor, question.id, answer=" ", now=NOW)
