"""Inputs made by what is known of their fields once, instead of asking Strawberry about each field each time."""

from collections.abc import Mapping
from dataclasses import MISSING
from typing import Any

import strawberry
from graphql import GraphQLInputObjectType
from strawberry.scalars import is_scalar
from strawberry.types.arguments import InputContext, convert_argument
from strawberry.types.base import StrawberryMaybe, StrawberryObjectDefinition, StrawberryOptional
from strawberry.types.enum import StrawberryEnumDefinition, has_enum_definition

DEFINITION = "strawberry-definition"


def build_inputs_fast(schema: strawberry.Schema) -> None:
    """Let the schema's inputs be made by their own builders, as Strawberry's hook `from_input` offers."""
    for type_ in schema._schema.type_map.values():
        definition = type_.extensions.get(DEFINITION) if isinstance(type_, GraphQLInputObjectType) else None
        if isinstance(definition, StrawberryObjectDefinition) and definition.from_input is None:
            definition.from_input = Builder(definition)


class Builder:
    """Makes values of one input type, exactly as Strawberry does."""

    def __init__(self, definition: StrawberryObjectDefinition) -> None:
        self._definition = definition
        self._fields: dict[str, tuple[str, Any]] = {}
        self._absent = {
            field.python_name: None
            for field in definition.fields
            if field.default_value is MISSING and field.default_factory is MISSING
        }

    def __call__(self, type_: type, value: Mapping[str, Any], context: InputContext) -> Any:
        fields = self._fields or self._known(context)
        made: dict[str, Any] = dict(self._absent)
        for name, given in value.items():
            python_name, kind = fields[name]
            made[python_name] = given if kind is None else _converted(given, kind, context, name)
        return type_(**made)

    def _known(self, context: InputContext) -> dict[str, tuple[str, Any]]:
        """Return of each field its name in Python, and its type where its values are not taken as they come."""
        for field in self._definition.fields:
            kind = field.resolve_type(type_definition=self._definition)
            name = context.config.name_converter.from_field(field)
            self._fields[name] = (field.python_name, None if _is_leaf(kind, context) else kind)
        return self._fields


def _converted(given: object, kind: Any, context: InputContext, name: str) -> object:
    path = (*context.path, name)
    return convert_argument(given, kind, context.scalar_registry, context.config, context.info, path=path)


def _is_leaf(kind: Any, context: InputContext) -> bool:
    if isinstance(kind, StrawberryMaybe):
        return False
    inner = kind.of_type if isinstance(kind, StrawberryOptional) else kind
    is_enum = isinstance(inner, StrawberryEnumDefinition) or has_enum_definition(inner)
    return is_enum or is_scalar(inner, context.scalar_registry)
