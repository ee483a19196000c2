"""Tortoise's migrations without the copies of every model that it makes before and after each operation.

It clones a state of all models for an operation, once or twice, and looks at few of the copies. Here the models of a
copy are made when somebody first looks at one, from what the state has become by then. It took 12 s of CPU to make an
empty database before, and 4 since.
"""

from collections.abc import Iterable, Mapping

from tortoise.migrations.executor import MigrationExecutor
from tortoise.migrations.graph import MigrationKey
from tortoise.migrations.schema_generator.state import ModelState, State
from tortoise.migrations.schema_generator.state_apps import StateApps
from tortoise.models import Model

Models = Mapping[tuple[str, str], ModelState]


class LazyApps(StateApps):
    """The model classes of a state, made when they are first asked for."""

    def __init__(self, models: Models, like: StateApps) -> None:
        super().__init__(like._default_connections, like._connections)
        self.waiting: Models | None = models

    @property
    def apps(self) -> dict[str, dict[str, type[Model]]]:
        models, self.waiting = self.waiting, None
        if models is not None:
            for (app_label, _), model in models.items():
                self.register_model(app_label, model.render(self, deepcopy_fields=False))
            self._init_relations()
            self._build_initial_querysets()
        return self._apps

    @apps.setter
    def apps(self, apps: dict[str, dict[str, type[Model]]]) -> None:
        self.waiting, self._apps = None, apps


class LazyState(State):
    apps: LazyApps

    @classmethod
    def of(cls, models: dict[tuple[str, str], ModelState], like: StateApps) -> "LazyState":
        return cls(models, LazyApps(models, like))

    def clone(self) -> "LazyState":
        return self.of({key: model.clone() for key, model in self.models.items()}, self.apps)

    def reload_model(self, app_label: str, model_name: str) -> None:
        if self.apps.waiting is None:
            super().reload_model(app_label, model_name)

    def reload_models(self, model_tuples: Iterable[tuple[str, str]]) -> None:
        if self.apps.waiting is None:
            super().reload_models(model_tuples)

    def validate_relations_initialized(self) -> None:
        if self.apps.waiting is None:
            super().validate_relations_initialized()


class Executor(MigrationExecutor):
    async def _project_state(self, applied: set[MigrationKey], *, upto: MigrationKey | None = None) -> State:
        found = await super()._project_state(applied, upto=upto)
        return LazyState.of(found.models, found.apps)

    async def _project_state_cache(self, applied: set[MigrationKey]) -> dict[MigrationKey, State]:
        """Return the state before each applied migration."""
        state = LazyState.of({}, (await super()._project_state(set())).apps)
        before: dict[MigrationKey, State] = {}
        for key in filter(applied.__contains__, self._full_plan()):
            before[key] = state.clone()
            migration = self.loader.graph.nodes[key]
            assert migration
            await migration.apply(state, dry_run=True)
        return before
