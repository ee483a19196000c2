"""Which changes of the schema would break a client, and which of them were accepted."""

from pathlib import Path

from graphql import GraphQLSchema, build_schema, find_breaking_changes

ACCEPTED = Path(__file__).parents[1] / "docs" / "breaking-changes.md"


def unaccepted(before: str, after: GraphQLSchema, *, accepted: str) -> list[str]:
    """Return the breaking changes between a printed schema and the present one that no line `- …` accepts."""
    lines = {line.removeprefix("- ").strip() for line in accepted.splitlines() if line.startswith("- ")}
    found = [change.description for change in find_breaking_changes(build_schema(before), after)]
    return [change for change in found if change not in lines]
