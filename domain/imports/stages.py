"""Where the leads of a file stand: stages by name within one pipeline, together with their status."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain import inputs
from domain.actors import Actor
from domain.errors import Faults
from domain.imports.errors import StageContradictsStatus, UnknownImportStage, UnknownPipeline
from domain.imports.mapping import ImportMapping, Target
from models.leads import LeadStatus
from models.pipelines import Pipeline
from models.stages import Stage, StageKind


@dataclass(frozen=True, slots=True)
class Place:
    """A stage and a status that fit, and the stage in which the lead was open."""

    stage: Stage
    status: LeadStatus
    opened_in: Stage


class Board:
    """The stages of the pipeline that a mapping fills."""

    def __init__(self, pipeline: Pipeline, stages: Sequence[Stage]) -> None:
        self.pipeline = pipeline
        self._stages = stages
        self._by_name: Mapping[str, Stage] = {inputs.normalised_name(stage.name): stage for stage in reversed(stages)}
        self._open = [stage for stage in stages if stage.kind is not StageKind.FOLLOW_UP]
        self._won = [stage for stage in stages if stage.kind is StageKind.FOLLOW_UP]
        self._places: dict[tuple[Target, LeadStatus | None], Place | str] = {}

    @classmethod
    async def load(cls, actor: Actor, mapping: ImportMapping) -> "Board":
        """Return the board that the mapping names, else the default one, and check the stages that it names.

        Raises UnknownPipeline, UnknownImportStage, StageContradictsStatus.
        """
        live = await Pipeline.filter(workspace_id=actor.workspace_id, archived_at=None).order_by("position", "id")
        wanted = inputs.normalised_name(mapping.pipeline) if mapping.pipeline else None
        for pipeline in live:
            if pipeline.is_default if wanted is None else inputs.normalised_name(pipeline.name) == wanted:
                stages = Stage.filter(pipeline_id=pipeline.id, archived_at=None)
                board = cls(pipeline, await stages.order_by("position", "id"))
                board._check(mapping)
                return board
        known = ", ".join(pipeline.name for pipeline in live) or "none"
        raise UnknownPipeline(name=mapping.pipeline or "(the default one)", known=known, field="mapping.pipeline")

    def place(self, target: Target | None, status: LeadStatus | None) -> Place | str:
        """Return where a lead stands, or why it can stand nowhere."""
        key = (target or Target(), status)
        if key not in self._places:
            if len(self._places) > 10_000:
                self._places.clear()
            self._places[key] = self._place(*key)
        return self._places[key]

    def _place(self, target: Target, status: LeadStatus | None) -> Place | str:
        named = self._stage(target.stage)
        if target.stage and named is None:
            return f"The pipeline {self.pipeline.name} has no stage {target.stage}."
        stood = self._stage(target.closed_from)
        won = named is not None and named.kind is StageKind.FOLLOW_UP
        status = status or target.status or (LeadStatus.WON if won else LeadStatus.OPEN)
        if not self._open or (status is LeadStatus.WON and not self._won):
            return f"The pipeline {self.pipeline.name} has no stage for {status} leads."
        if won and named is not None and status is not LeadStatus.WON:
            return str(StageContradictsStatus(status=status.value, stage=named.name))
        if status is not LeadStatus.WON:
            stage = named or stood or self._open[0]
            return Place(stage, status, stage)
        if won and named is not None:
            return Place(named, status, stood or self._open[-1])
        return Place(self._won[0], status, stood or named or self._open[-1])

    def _stage(self, name: str | None) -> Stage | None:
        return self._by_name.get(inputs.normalised_name(name)) if name else None

    def _check(self, mapping: ImportMapping) -> None:
        source = mapping.fields.get("stage")
        if source is None:
            return
        faults, field = Faults(), "mapping.fields.stage"
        constant = [Target(stage=source.constant)] if source.constant else []
        for target in (*source.targets.values(), *constant):
            for name in (target.stage, target.closed_from):
                if name and self._stage(name) is None:
                    known = ", ".join(stage.name for stage in self._stages)
                    faults.add(UnknownImportStage(name=name, pipeline=self.pipeline.name, known=known, field=field))
            stage, stood = self._stage(target.stage), self._stage(target.closed_from)
            if stage and stage.kind is StageKind.FOLLOW_UP and target.status not in (None, LeadStatus.WON):
                faults.add(StageContradictsStatus(status=target.status.value, stage=stage.name, field=field))
            if stood and stood.kind is StageKind.FOLLOW_UP:
                faults.add(StageContradictsStatus(status=LeadStatus.OPEN.value, stage=stood.name, field=field))
        faults.raise_any()
