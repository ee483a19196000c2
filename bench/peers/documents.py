"""What is asked of every contender: the same content, each in its own dialect."""

PAGE = """
query Page($first: Int!) {
  leads(first: $first, orderBy: [{field: CREATED_AT, direction: DESC}]) {
    edges { node {
      id title status score createdAt value { amount currencyCode }
      stage { id name } owner { id name } company { id name }
      needs(first: 3) { edges { node { id title importance } } }
    } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
ONE = "query One($id: ID!) { lead(id: $id) { id title status score version createdAt } }"
WRITE = """
mutation Write($id: ID!, $version: Int!, $title: String!) {
  updateLead(input: {id: $id, expectedVersion: $version, title: $title}) {
    lead { id title version updatedAt }
    userErrors { code message }
  }
}
"""
OURS = {"page": PAGE, "one": ONE, "write": WRITE}
