"""Where plans and graphql-core meet.

A query is answered by its plan or, where that meets trouble, from the start by graphql-core, which knows how to tell
of it. A mutation's root fields are called by its plan, one after the other; where one meets trouble, graphql-core goes
on from there. A subscription's root field is resolved by graphql-core, and what it returns is shaped by plan.
"""

import json
from collections.abc import Mapping
from inspect import isawaitable
from types import MappingProxyType
from typing import Any

import orjson
from graphql import ExecutionResult, OperationType, default_field_resolver, default_type_resolver
from graphql.execution.values import VariableValues
from graphql.pyutils import Path
from strawberry.execution.is_awaitable import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types import Info

from engine.costs import cost_of
from engine.levels import Level, Resolved, Run
from engine.plans import Plan, Plans, went

# Instants as the scalar writes them; the first instant there is comes from the driver without a zone.
PLAINLY = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC


async def answer(plans: Plans, context: Any, variables: VariableValues, root: Any = None) -> ExecutionResult:
    """Answer a query or a mutation by its plan; graphql-core does all of it, or what is left, where that cannot."""
    run, plan = Operation(plans, context, variables, root), plans.of(variables) if context.engine else None
    if plan is None or plan.root is None:
        tell(context, plan.why_not if plan else "the engine is off")
    else:
        try:
            if plans.operation.operation is OperationType.MUTATION:
                data = await _done(plan.root, root, run)
            else:
                [data] = await plan.root.answers([root], run)
        except Exception as trouble:
            tell(context, trouble)
        else:
            tell(context, None)
            context.cost += run.cost
            return ExecutionResult(data, None)
    result: Any = run.executor.execute_operation()
    return await result if isawaitable(result) else result  # type: ignore[no-any-return]


async def _done(level: Level, root: Any, run: "Operation") -> Any:
    """Call the root fields of a mutation, and note what each has come to, so that nothing is done twice."""
    said: dict[str, Any] = {}
    answers: dict[str, Any] = {}
    run.executor.said, run.executor.answers = said, answers
    for child in level.children:
        assert isinstance(child, Resolved)
        try:
            said[child.key] = values = await child.values([root], run)
            [answers[child.key]] = await child.finish.answers(values, run)
        except Exception as trouble:
            said.setdefault(child.key, trouble)
            raise
        run.context.cost, run.cost = run.context.cost + run.cost, 0
    [data] = level.shape([root], *([answer] for answer in answers.values()))
    return data


class Operation(Run):
    """One run of an operation; what resolvers are given comes from an executor, made when the first one asks."""

    __slots__ = ("_executor", "_plans", "_root")

    def __init__(self, plans: Plans, context: Any, variables: VariableValues, root: Any, executor: Any = None) -> None:
        super().__init__(context, variables)
        self._plans = plans
        self._root = root
        self._executor = executor

    @property
    def executor(self) -> "PlanningExecutor":
        if self._executor is None:
            self._executor = PlanningExecutor.made(self._plans, self.context, self.variables, self._root)
        return self._executor  # type: ignore[no-any-return]

    def info(self, parent: Any, definition: Any, nodes: Any, key: str, *, raw: bool) -> Any:
        info = self.executor.build_resolve_info(definition, nodes, parent, Path(None, key, parent.name))
        return info if raw else Info(_raw_info=info, _field=definition.extensions["strawberry-definition"])


class PlanningExecutor(StrawberryGraphQLCoreExecutionContext):
    """Shapes by plan what a subscription tells of an event, and does not again what a mutation's plan has done.

    `answers` are those of root fields that are done; `said` is what the resolvers of root fields have returned, in a
    list of one, or raised.
    """

    plan: Plan | None = None
    plans: Plans
    answers: Mapping[Any, Any] = MappingProxyType({})
    said: Mapping[Any, Any] = MappingProxyType({})

    @classmethod
    def made(cls, plans: Plans, context: Any, variables: VariableValues, root: Any) -> "PlanningExecutor":
        """Return what executes an operation."""
        made = cls(
            plans.schema,
            plans.fragments,
            plans.details,
            root,
            context,
            plans.operation,
            variables,
            default_field_resolver,
            default_type_resolver,
            default_field_resolver,
            is_awaitable=optimized_is_awaitable,
        )
        made.plans = plans
        if context.engine and plans.operation.operation is OperationType.SUBSCRIPTION:
            made.plan = plans.of(variables)
            if made.plan.why_not:
                tell(context, made.plan.why_not)
        return made

    def execute_field(
        self, parent_type: Any, source: Any, field_details_list: Any, path: Path, position_context: Any
    ) -> Any:
        if path.prev is not None or path.key not in self.said:
            return super().execute_field(parent_type, source, field_details_list, path, position_context)
        if path.key in self.answers:
            return plain(self.answers[path.key])
        definition = parent_type.fields[field_details_list[0].node.name.value]
        info = self.build_resolve_info(definition, [one.node for one in field_details_list], parent_type, path)
        said = _again(self.said[path.key])
        return self.complete_awaitable_value(definition.type, field_details_list, info, path, said, position_context)

    def complete_value(
        self, return_type: Any, field_details_list: Any, info: Any, path: Path, result: Any, position_context: Any
    ) -> Any:
        if path.prev is None and self.plan is not None and path.key in self.plan.fields:
            return self._completed((return_type, field_details_list, info, path, result, position_context))
        if result is not None:
            self.context_value.cost += cost_of(return_type, info)
        return super().complete_value(return_type, field_details_list, info, path, result, position_context)

    async def _completed(self, facts: tuple[Any, ...]) -> Any:
        plan, path, result = self.plan, facts[3], facts[4]
        assert plan is not None
        run = Operation(self.plans, self.context_value, self.variable_values, self.root_value, self)
        try:
            [answer] = await plan.fields[path.key].answers([result], run)
            answer = plain(answer)
        except Exception as trouble:
            tell(self.context_value, trouble)
            self.plan = None
            value = super().complete_value(*facts)
            return await value if isawaitable(value) else value
        tell(self.context_value, None)
        self.context_value.cost += run.cost
        return answer


async def _again(said: Any) -> Any:
    if isinstance(said, Exception):
        raise said
    [value] = said
    return value


def written(answer: Any) -> bytes:
    """Return an answer as JSON. Instants and days may stand in it as they are."""
    try:
        return orjson.dumps(answer, option=PLAINLY)
    except TypeError:
        # Whole numbers beyond 64 bits, which JSON columns may hold.
        return json.dumps(answer, separators=(",", ":"), default=_instant).encode()


def plain(data: Any) -> Any:
    """Return an answer with nothing in it but what JSON has."""
    return json.loads(written(data))


def _instant(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value, option=PLAINLY))


def tell(context: Any, trouble: object) -> None:
    """Note which way an operation went, and why not as planned.

    `way` has no word of the client's, for headers, log lines and counts; `why_not` has the trouble's own.
    """
    context.compiled = trouble is None
    context.why_not = repr(trouble) if isinstance(trouble, Exception) else str(trouble or "")
    reason = type(trouble).__name__ if isinstance(trouble, Exception) else context.why_not
    context.way = "plan" if trouble is None else f"graphql-core; {reason}"
    went[context.way] += 1
