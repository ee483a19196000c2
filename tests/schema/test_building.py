"""Inputs are what Strawberry makes of them, only sooner."""

from dataclasses import is_dataclass
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    coerce_input_value,
    get_named_type,
)
from strawberry.types.arguments import convert_argument
from strawberry.types.base import StrawberryObjectDefinition

from schema.building import DEFINITION, Builder
from schema.schema import graphql_schema

CORE = graphql_schema._schema
INPUTS = {name: type_ for name, type_ in CORE.type_map.items() if isinstance(type_, GraphQLInputObjectType)}
SAID = {
    "Int": 3,
    "Float": 0.5,
    "Boolean": True,
    "Decimal": "12.50",
    "DateTime": "2026-03-02T09:00:00Z",
    "Date": "2026-03-02",
    "Email": "ann@acme.com",
    "PhoneNumber": "+4930901820",
    "URL": "https://acme.com",
    "CurrencyCode": "EUR",
    "CountryCode": "DE",
    "LanguageTag": "de",
    "TimeZone": "Europe/Berlin",
}


def said(type_: Any, depth: int) -> Any:
    """Return what a client may say of a type."""
    if isinstance(type_, GraphQLNonNull):
        return said(type_.of_type, depth)
    if isinstance(type_, GraphQLList):
        return [said(type_.of_type, depth)]
    if isinstance(type_, GraphQLInputObjectType):
        return filled(type_, depth - 1)
    if isinstance(type_, GraphQLEnumType):
        return next(iter(type_.values))
    return SAID.get(type_.name, "said")


def filled(type_: GraphQLInputObjectType, depth: int) -> dict[str, Any]:
    """Return an input with every field, but for those that nest too deep."""
    deep = {
        name
        for name, field in type_.fields.items()
        if depth <= 0 and isinstance(get_named_type(field.type), GraphQLInputObjectType)
    }
    return {
        name: said(field.type, depth)
        for name, field in type_.fields.items()
        if name not in deep or isinstance(field.type, GraphQLNonNull)
    }


def required(type_: GraphQLInputObjectType) -> dict[str, Any]:
    return {name: said(field.type, 1) for name, field in type_.fields.items() if isinstance(field.type, GraphQLNonNull)}


def emptied(type_: GraphQLInputObjectType) -> dict[str, Any]:
    """Return an input that clears whatever can be cleared."""
    return {
        name: said(field.type, 1) if isinstance(field.type, GraphQLNonNull) else None
        for name, field in type_.fields.items()
    }


def made(type_: GraphQLInputObjectType, given: dict[str, Any]) -> Any:
    converter = graphql_schema.schema_converter
    definition: StrawberryObjectDefinition = type_.extensions[DEFINITION]
    value = coerce_input_value(given, type_)
    return convert_argument(value, definition.origin, converter.scalar_registry, converter.config)


def test_every_input_has_a_builder() -> None:
    assert INPUTS
    builders = {name: type_.extensions[DEFINITION].from_input for name, type_ in INPUTS.items()}
    assert [name for name, builder in builders.items() if not isinstance(builder, Builder)] == []


@pytest.mark.parametrize("say", [filled, required, emptied])
@pytest.mark.parametrize("name", INPUTS)
def test_what_is_built_is_what_strawberry_makes(name: str, say: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    type_ = INPUTS[name]
    given = say(type_, 2) if say is filled else say(type_)
    built = made(type_, given)
    for other in INPUTS.values():
        monkeypatch.setattr(other.extensions[DEFINITION], "from_input", None)
    expected = made(type_, given)
    assert is_dataclass(built)
    assert type(built) is type(expected)
    assert built == expected
