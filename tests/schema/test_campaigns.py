"""Campaigns in the schema: with the leads that they brought, of those that the viewer may see, and their members."""

from datetime import timedelta

import pytest

from domain import campaigns, contacts
from domain.campaigns import CampaignDetails
from domain.contacts import ContactDetails
from models.users import Role
from tests.factories import NOW, lead, member, seller
from tests.schema.asking import ask, gid

pytestmark = pytest.mark.usefixtures("db")
CREATE = """mutation($input: CreateCampaignInput!) {
  createCampaign(input: $input) {
    campaign { id name kind startsOn endsOn cost { amount currencyCode } version viewerCan { update } }
    userErrors { code field }
  }
}"""
BROUGHT = """query($id: ID!) {
  campaign(id: $id) { leads { totalCount nodes { title } } }
  leads(filter: { campaign: { eq: $id } }) { nodes { title campaign { name } } }
  leadSummary(groupBy: [CAMPAIGN], filter: { campaign: { isNull: false } }) { groups { count campaign { name } } }
}"""
MEMBERS = """mutation($input: AddCampaignMembersInput!) {
  addCampaignMembers(input: $input) {
    campaign {
      version
      members(filter: { status: { eq: RESPONDED } }) { nodes { contact { name campaignMembers { totalCount } } } }
    }
    userErrors { code field }
  }
}"""


async def test_a_campaign_is_added_and_refused_by_its_fields() -> None:
    actor = await seller()
    given = {"name": "Fair", "startsOn": "2026-04-01", "cost": {"amount": "10.5", "currencyCode": "EUR"}}

    made = (await ask(actor, CREATE, input={**given, "kind": "TRADE_SHOW"}))["createCampaign"]["campaign"]
    refused = (await ask(actor, CREATE, input={**given, "endsOn": "2026-03-31"}))["createCampaign"]
    listed = await ask(
        actor,
        """{ campaigns(search: "fai", filter: { kind: { in: [TRADE_SHOW] }, archivedAt: { isNull: true } },
             orderBy: [{ field: STARTS_ON, direction: DESC }]) { nodes { name } } }""",
    )

    assert made | {"id": ""} == {
        **{"id": "", "name": "Fair", "kind": "TRADE_SHOW", "startsOn": "2026-04-01", "endsOn": None},
        **{"cost": {"amount": "10.5", "currencyCode": "EUR"}, "version": 1, "viewerCan": {"update": True}},
    }
    assert refused == {"campaign": None, "userErrors": [{"code": "CAMPAIGN_ENDS_BEFORE", "field": ["endsOn"]}]}
    assert listed == {"campaigns": {"nodes": [{"name": "Fair"}]}}


async def test_what_a_campaign_brought_is_what_the_viewer_may_see_of_it() -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    fair = await campaigns.create(admin, CampaignDetails(name="Fair"), now=NOW)
    await lead(rep, title="Theirs", campaign_id=fair.id)
    row = await lead(admin, title="Another's", campaign_id=fair.id, now=NOW - timedelta(days=1))
    await lead(admin, title="Unbidden")
    key = gid("Campaign", fair.id)

    def told(*titles: str) -> dict[str, object]:
        return {
            "campaign": {"leads": {"totalCount": len(titles), "nodes": [{"title": title} for title in titles]}},
            "leads": {"nodes": [{"title": title, "campaign": {"name": "Fair"}} for title in titles]},
            "leadSummary": {"groups": [{"count": len(titles), "campaign": {"name": "Fair"}}]},
        }

    assert await ask(admin, BROUGHT, id=key) == told("Theirs", "Another's")
    assert await ask(rep, BROUGHT, id=key) == told("Theirs")

    update = (
        "mutation($input: UpdateLeadInput!) { updateLead(input: $input) { lead { campaign { name } history(first: 1) {"
    )
    update += " nodes { changes { field before after } } } } userErrors { code } } }"
    cleared = (await ask(admin, update, input={"id": gid("Lead", row.id), "campaignId": None}))["updateLead"]["lead"]
    assert cleared["campaign"] is None
    assert cleared["history"]["nodes"] == [{"changes": [{"field": "campaignId", "before": key, "after": None}]}]


async def test_members_are_told_with_the_campaign_unless_they_are_deleted() -> None:
    admin = await seller()
    fair = await campaigns.create(admin, CampaignDetails(name="Fair"), now=NOW)
    ann, ben, gone = [
        await contacts.create(admin, ContactDetails(name=name), now=NOW) for name in ("Ann", "Ben", "Eve")
    ]
    key = gid("Campaign", fair.id)

    invited = {"campaignId": key, "contactIds": [gid("Contact", one.id) for one in (ann, ben, gone)]}
    await ask(admin, MEMBERS, input=invited)
    await contacts.delete(admin, gone.id, now=NOW)
    told = await ask(admin, MEMBERS, input={**invited, "contactIds": invited["contactIds"][:1], "status": "RESPONDED"})

    [one] = told["addCampaignMembers"]["campaign"]["members"]["nodes"]
    assert one == {"contact": {"name": "Ann", "campaignMembers": {"totalCount": 1}}}
    assert told["addCampaignMembers"]["campaign"]["version"] == 1
    members = "query($id: ID!) { campaign(id: $id) { members { totalCount nodes { status contact { name } } } } }"
    assert (await ask(admin, members, id=key))["campaign"]["members"]["totalCount"] == 2
