"""What is asked of every contender: the same content, each in its own dialect."""

from uuid import UUID

LEADS = """leads(first: $first, orderBy: [{field: CREATED_AT, direction: DESC}]) {
    edges { node {
      id title status score createdAt value { amount currencyCode }
      stage { id name } owner { id name } company { id name }
      needs(first: 3) { edges { node { id title importance } } }
    } }
    pageInfo { hasNextPage endCursor }
  }"""
PAGE = f"query Page($first: Int!) {{ {LEADS} }}"
BY_SCORE = PAGE.replace("CREATED_AT", "SCORE")
BY_RANK = f"query Stage($stage: ID!, $first: Int!) {{ stage(id: $stage) {{ {LEADS} }} }}".replace(
    "CREATED_AT, direction: DESC", "RANK"
)
ONE = "query One($id: ID!) { lead(id: $id) { id title status score version createdAt } }"
WRITE = """
mutation Write($id: ID!, $version: Int!, $title: String!) {
  updateLead(input: {id: $id, expectedVersion: $version, title: $title}) {
    lead { id title version updatedAt }
    userErrors { code message }
  }
}
"""
BOARD = """
query Board($id: ID!, $first: Int!) {
  pipeline(id: $id) {
    id name
    stages {
      id name kind leadCount leadValue { amount currencyCode }
      leads(first: $first, orderBy: [{field: RANK}]) {
        edges { node {
          id title rank version status score grade value { amount currencyCode }
          owner { id name } company { id name }
        } }
        pageInfo { hasNextPage }
      }
    }
  }
}
"""
PEERS = {"page": PAGE, "one": ONE, "write": WRITE}
OURS = PEERS | {"board": BOARD}


def graphile(workspace_id: UUID) -> dict[str, str]:
    """Return the documents in PostGraphile's dialect; which rows exist for whom is the client's to say."""
    where = f'condition: {{workspaceId: "{workspace_id}", deletedAt: null}}'
    return {"page": GRAPHILE_PAGE.replace("$where", where), "one": GRAPHILE_ONE, "write": GRAPHILE_WRITE}


GRAPHILE_PAGE = """
query Page($first: Int!) {
  leads: allLeads(first: $first, $where, orderBy: [CREATED_AT_DESC, ROW_ID_DESC]) {
    edges { node {
      id: rowId title status score createdAt value currency
      stage: stageByStageId { id: rowId name }
      owner: userAccountByOwnerId { id: rowId name }
      company: companyByCompanyId { id: rowId name }
      needs: needsByLeadId(first: 3, condition: {deletedAt: null}, orderBy: [IMPORTANCE_DESC, ROW_ID_DESC]) {
        edges { node { id: rowId title importance } }
      }
    } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
GRAPHILE_ONE = """
query One($id: UUID!) { lead: leadByRowId(rowId: $id) { id: rowId title status score version createdAt } }
"""
GRAPHILE_WRITE = """
mutation Write($id: UUID!, $version: Int!, $title: String!) {
  updateLead: editLead(input: {leadId: $id, expectedVersion: $version, newTitle: $title}) {
    lead: result { id: rowId title version updatedAt }
  }
}
"""
