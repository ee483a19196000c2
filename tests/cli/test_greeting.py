"""What `up` tells somebody who starts it for the first time is true."""

import graphql

from embedded.up import SIGN_UP
from schema.schema import graphql_schema


def test_the_mutation_that_it_shows_is_one() -> None:
    schema = graphql.build_schema(graphql_schema.as_str())
    assert graphql.validate(schema, graphql.parse(SIGN_UP)) == []
