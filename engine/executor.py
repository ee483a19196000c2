"""Where plans and graphql-core meet.

A query is answered by its plan or, where that meets trouble, from the start by graphql-core, which knows how to tell
of it. A mutation's root fields are called by its plan, one after the other; where one meets trouble, graphql-core goes
on from there. A subscription's root field is resolved by graphql-core, and what it returns is shaped by plan.
"""

import json
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any

import orjson
from graphql import ExecutionResult, OperationType, default_field_resolver, default_type_resolver
from graphql.execution.values import VariableValues
from graphql.pyutils import Path
from strawberry.execution.is_awaitable import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from engine.costs import cost_of
from engine.levels import Level, Resolved
from engine.plans import Plan, Plans, went
from engine.runs import Run

# Instants as the scalar writes them; the first instant there is comes from the driver without a zone.
PLAINLY = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC


async def answer(plans: Plans, context: Any, variables: VariableValues, root: Any = None) -> ExecutionResult:
    """Answer a query or a mutation by its plan; graphql-core does all of it, or what is left, where that cannot."""
    plan = plans.of(variables) if context.engine else None
    done = NOTHING
    if plan is None or plan.root is None:
        tell(context, plan.why_not if plan else "the engine is off")
    else:
        run = Run(plans, context, variables, root)
        try:
            if plans.operation.operation is OperationType.MUTATION:
                done = Done()
                data = await _mutated(plan.root, done, run)
            else:
                [data] = await plan.root.answers([root], run)
        except Exception as trouble:
            tell(context, trouble)
        else:
            tell(context, None)
            context.cost += run.cost
            return ExecutionResult(data, None)
    executor = PlanningExecutor.made(plans, context, variables, root)
    executor.done = done
    result: Any = executor.execute_operation()
    return await result if isawaitable(result) else result  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Done:
    """What a mutation's root fields have come to, by response keys, so that nothing is done twice.

    `said` is what their resolvers have returned, in a list of one, or raised; `answers` is what became of that.
    """

    said: dict[Any, Any] = field(default_factory=dict)
    answers: dict[Any, Any] = field(default_factory=dict)


NOTHING = Done()


async def _mutated(level: Level, done: Done, run: Run) -> Any:
    """Call the root fields of a mutation, one after the other."""
    for child in level.children:
        assert isinstance(child, Resolved)
        try:
            done.said[child.key] = values = await child.values([run.root], run)
            [done.answers[child.key]] = await child.finish.answers(values, run)
        except Exception as trouble:
            done.said.setdefault(child.key, trouble)
            raise
        run.context.cost, run.cost = run.context.cost + run.cost, 0
    [data] = level.shape([run.root], *([answer] for answer in done.answers.values()))
    return data


class PlanningExecutor(StrawberryGraphQLCoreExecutionContext):
    """Shapes by plan what a subscription tells of an event, and does not again what a mutation's plan has done."""

    plan: Plan | None = None
    plans: Plans
    done = NOTHING

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
        if path.prev is not None or path.key not in self.done.said:
            return super().execute_field(parent_type, source, field_details_list, path, position_context)
        if path.key in self.done.answers:
            return plain(self.done.answers[path.key])
        definition = parent_type.fields[field_details_list[0].node.name.value]
        info = self.build_resolve_info(definition, [one.node for one in field_details_list], parent_type, path)
        said = _again(self.done.said[path.key])
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
        run = Run(self.plans, self.context_value, self.variable_values, self.root_value)
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
