"""graphql-core's executor, which answers by plan what can be planned and does the rest itself.

A query is answered by its plan or, where that meets trouble, from the start by graphql-core, which knows how to tell
of it. A mutation's or a subscription's root field is resolved by graphql-core, and what it returns is shaped by plan.
"""

import json
from inspect import isawaitable
from typing import Any

import orjson
from graphql import ExecutionResult
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types import Info

from engine.levels import Run
from engine.plans import Plan, went

# Instants as the scalar writes them; the first instant there is comes from the driver without a zone.
PLAINLY = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC


class PlanningExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes by plan where the operation's context bears plans."""

    _plan: Plan | None = None

    def execute_operation(self, serially: bool | None = None) -> Any:
        plan = self._plan = self._planned()
        if plan is None or plan.root is None:
            return super().execute_operation(serially)
        return self._answered(plan, serially)

    async def _answered(self, plan: Plan, serially: bool | None) -> ExecutionResult:
        assert plan.root is not None
        try:
            [data] = await plan.root.answers([self.root_value], self.run())
            answer = ExecutionResult(data, None)
        except Exception as trouble:
            self._tell(trouble)
            result: Any = super().execute_operation(serially)
            return await result if isawaitable(result) else result  # type: ignore[no-any-return]
        self._tell(None)
        return answer

    def complete_value(
        self, return_type: Any, field_details_list: Any, info: Any, path: Path, result: Any, position_context: Any
    ) -> Any:
        plan = self._plan
        if path.prev is None and plan is not None and path.key in plan.fields:
            return self._completed(plan, (return_type, field_details_list, info, path, result, position_context))
        return super().complete_value(return_type, field_details_list, info, path, result, position_context)

    async def _completed(self, plan: Plan, facts: tuple[Any, ...]) -> Any:
        path, result = facts[3], facts[4]
        try:
            [answer] = await plan.fields[path.key].answers([result], self.run())
            answer = plain(answer)
        except Exception as trouble:
            self._tell(trouble)
            self._plan = None
            value = super().complete_value(*facts)
            return await value if isawaitable(value) else value
        self._tell(None)
        return answer

    def run(self) -> Run:
        """Return what a plan runs with."""
        return Run(self.context_value, self.variable_values, self._info)

    def _info(self, parent: Any, definition: Any, nodes: Any, key: str, *, raw: bool) -> Any:
        info = self.build_resolve_info(definition, nodes, parent, Path(None, key, parent.name))
        return info if raw else Info(_raw_info=info, _field=definition.extensions["strawberry-definition"])

    def _planned(self) -> Plan | None:
        context: Any = self.context_value
        plans = getattr(context, "plans", None)
        if plans is None:
            return None
        plan: Plan = plans.of(self.variable_values)
        if plan.why_not:
            self._tell(plan.why_not)
        return plan

    def _tell(self, trouble: object) -> None:
        tell(self.context_value, trouble)


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
    """Note which way an operation went, and why not as planned."""
    context.why_not = repr(trouble) if isinstance(trouble, Exception) else str(trouble or "")
    context.compiled = trouble is None
    went["plan" if trouble is None else "graphql-core"] += 1
