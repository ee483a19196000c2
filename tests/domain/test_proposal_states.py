"""The states of a proposal: every move is made from the states that the table names, by those whom it names."""

from pathlib import Path
from uuid import uuid4

import pytest

from domain import proposal_states
from domain.actors import Actor, ActorKind
from domain.proposal_states import RULES, WHO, Move, ProposalStateRefused, Who
from models.proposals import ProposalState

# Written by hand, so that a slip in the rules is a slip in two places: from, to, and who (S: seller, A: approver,
# C: customer, Y: the system).
TABLE = {
    "REQUEST_APPROVAL": ("DRAFT", "IN_APPROVAL", "S"),
    "APPROVE": ("IN_APPROVAL", "APPROVED", "A"),
    "REJECT": ("IN_APPROVAL", "DRAFT", "A"),
    "EDIT": ("APPROVED DRAFT IN_APPROVAL", "DRAFT", "S"),
    "SEND": ("APPROVED DRAFT", "SENT", "S"),
    "VIEW": ("SENT", "VIEWED", "C"),
    "ACCEPT": ("SENT VIEWED", "ACCEPTED", "SC"),
    "DECLINE": ("SENT VIEWED", "DECLINED", "SC"),
    "EXPIRE": ("SENT VIEWED", "EXPIRED", "Y"),
    "WITHDRAW": ("SENT VIEWED", "WITHDRAWN", "S"),
    "REVISE": ("DECLINED EXPIRED SENT VIEWED WITHDRAWN", "DRAFT", "SC"),
    "AGREE": ("DRAFT", "ACCEPTED", "SC"),
    "SET_ASIDE": ("APPROVED DRAFT IN_APPROVAL", "SUPERSEDED", "SC"),
    "SUPERSEDE": ("SENT VIEWED", "SUPERSEDED", "SC"),
}
LETTERS = {Who.SELLER: "S", Who.APPROVER: "A", Who.CUSTOMER: "C", Who.SYSTEM: "Y"}


def test_the_table_names_every_move() -> None:
    assert set(TABLE) == {move.value for move in RULES} == {move.value for move in Move}


@pytest.mark.parametrize("move", Move)
@pytest.mark.parametrize("kind", ActorKind)
def test_every_move_from_every_state_by_everybody(move: Move, kind: ActorKind) -> None:
    before, after, who = TABLE[move.value]
    actor = Actor(kind, uuid4())
    allowed = any(LETTERS[one] in who for one in WHO[kind])

    for state in ProposalState:
        fine = allowed and state.value in before.split()
        assert proposal_states.may(actor, state, move) is fine
        if fine:
            assert proposal_states.check(actor, state, move).after == after
        else:
            with pytest.raises(ProposalStateRefused):
                proposal_states.check(actor, state, move)


def test_the_page_shows_the_same_table() -> None:
    page = (Path(__file__).parents[2] / "docs" / "proposals.md").read_text()
    for move, rule in RULES.items():
        before, who = (", ".join(sorted(one.value for one in part)) for part in (rule.before, rule.who))
        assert f"| {move.value} | {before} | {rule.after.value} | {who.lower()} |" in page


def test_what_ended_by_acceptance_or_supersession_never_moves_again() -> None:
    for state in (ProposalState.ACCEPTED, ProposalState.SUPERSEDED):
        assert [move for move, rule in RULES.items() if state in rule.before] == []
