"""`salescycle score`: train, promote, roll back, preview, explain and export, with figures as they are."""

import asyncio
import os
import shlex
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table

from domain import imports, policy, score_lists, score_models, score_trainings
from domain.actors import Actor
from domain.errors import DomainError
from domain.imports.operators import operator
from domain.score_models import Learning, ModelDetails, ScoreAmountsUnrated
from domain.score_trainings import TrainingEnded
from domain.scoring.fields import CUSTOM
from embedded.errors import StartFailed
from models.database import close_database, open_database
from models.leads import Lead
from models.scoring import (
    ScoreModel,
    ScoreModelKind,
    ScoreModelVersion,
    ScoreTraining,
    ScoreVersionState,
    TrainingState,
)
from schema import ids
from settings import SHORTEST_SECRET, settings

POOL = 4
LOOKS_SECONDS = 0.5
# A worker that runs takes a training within this; without one the command learns by itself.
TAKEN_SECONDS = 5.0
NAME = "Learned"
SHOWN_FIELDS = 20
ENDED = (TrainingState.DONE, TrainingState.FAILED, TrainingState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed: where, and on whose behalf."""

    workspace: str | None
    email: str | None


@asynccontextmanager
async def _asking(asked: Asked, database_url: str) -> AsyncIterator[tuple[Actor, Console]]:
    if len(settings().secret_key) < SHORTEST_SECRET:
        raise StartFailed("Set SECRET_KEY to the server's: models are signed by it.")
    await open_database(database_url, pool_size=POOL)
    try:
        with _sentences():
            yield await operator(asked.workspace, asked.email), Console()
    finally:
        await close_database()


@contextmanager
def _sentences() -> Iterator[None]:
    try:
        yield
    except DomainError as error:
        raise StartFailed(imports.reason(error)) from error


def _now() -> datetime:
    return datetime.now(UTC)


async def train(
    asked: Asked, database_url: str, *, model: str | None, trust: Sequence[str] = (), leave_out: Sequence[str] = ()
) -> None:
    """Train a model that learns, wait for it, and tell what it is worth; without one it is made first.

    Fields to `trust` and to `leave_out` are remembered by the model; what was one becomes the other.
    """
    async with _asking(asked, database_url) as (actor, console):
        row = await _model(actor, ScoreModelKind.LEARNED, model)
        if row is None:
            learning = Learning(trusted=tuple(trust), left_out=tuple(leave_out))
            details = ModelDetails(name=model or NAME, learning=learning)
            row = await score_models.create(actor, ScoreModelKind.LEARNED, details, now=_now())
        elif trust or leave_out:
            row = await score_models.sort_out(actor, row.id, trusted=trust, left_out=leave_out, now=_now())
        run = await score_trainings.request(actor, row.id, now=_now())
        try:
            run = await _waited(run, database_url, console)
        except asyncio.CancelledError:
            with suppress(TrainingEnded):
                await score_trainings.cancel(actor, run.id, now=_now())
                console.print("The training is cancelled: nothing of it is kept.")
            raise
        if run.state is not TrainingState.DONE:
            why = run.failure["message"] if run.failure else f"The training was {run.state.lower()}."
            raise StartFailed(why)
        _report(await ScoreModelVersion.get(id=run.model_version_id), row, console)


async def _waited(run: ScoreTraining, database_url: str, console: Console) -> ScoreTraining:
    """Return the training when it has ended; where no worker takes it, learn here."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    began, learning = time.monotonic(), None
    with Progress(*columns, console=console) as progress:
        shown = progress.add_task("Waiting for a worker", total=1.0)
        while run.state not in ENDED:
            if run.state is TrainingState.QUEUED and learning is None and time.monotonic() - began > TAKEN_SECONDS:
                learning = asyncio.create_task(_learn(run, database_url))
            if learning is not None and learning.done():
                learning.result()
            await asyncio.sleep(LOOKS_SECONDS)
            run = await ScoreTraining.get(id=run.id)
            progress.update(shown, completed=float(run.progress), description=(run.step or "waiting").capitalize())
    if learning is not None:
        await learning
    return run


async def _learn(run: ScoreTraining, database_url: str) -> None:
    from workers.tasks import training

    # The process that learns finds the database and the key in its environment, as a worker's does.
    os.environ |= {"DATABASE_URL": database_url, "SECRET_KEY": settings().secret_key}
    try:
        await training.learn(run.workspace_id, run.id)
    except training.TrainingFailed as error:
        await score_trainings.fail(run.workspace_id, run.id, score_trainings.TrainingCrashed(), now=_now())
        raise StartFailed(str(error)) from error


def _report(version: ScoreModelVersion, row: ScoreModel, console: Console) -> None:
    report = version.report
    quality, dropped = report["quality"], report["dropped"]
    # What may have been left out wrongly comes first, and the workspace's own fields before those of all.
    left = [one for one in dropped if one["why"] != "EMPTY"]
    shown = sorted(left, key=lambda one: (one["why"] != "LEAKING", one["why"] == "CONSTANT", CUSTOM not in one["key"]))
    console.print(f"Version {version.number} of {row.name} ({report['kind'].lower()}) {_outcome(version)}.")
    console.print(
        f"It learned from {version.leads:,} closed leads, {version.won:,} of them won. "
        f"On {'the newest ' if report['held_out'] == 'NEWEST' else ''}{quality['leads']:,}, which it had not seen:"
    )
    console.print(f"  AUC {_auc(quality)}")
    verdict = "no better than" if quality["brier"] >= quality["brier_of_rate"] else "against"
    console.print(f"  Brier score {quality['brier']:.4f}, {verdict} {quality['brier_of_rate']:.4f} of saying the rate")
    console.print(
        f"  the top fifth held {quality['top_fifth']:.0%} of the wins; the top tenth's lift is {_lift(quality)}"
    )
    if report["rival"]:
        console.print(
            f"  what was in use before: AUC {_auc(report['rival'])}, log loss {report['rival']['log_loss']:.4f}"
            f" against {quality['log_loss']:.4f}"
        )
    for one in report["unrated"]:
        console.print(ScoreAmountsUnrated.of(one).message, markup=False)
    for one in report["suspected"]:
        console.print(
            f"{one['label']} alone tells much (AUC {one['auc']:.3f}). If it is filled in once people know how a lead "
            f"ends, train again with --leave-out {shlex.quote(one['label'])}; if not, with --trust.",
            markup=False,
        )
    used, empty = len(report["columns"]), sum(one["why"] == "EMPTY" for one in dropped)
    console.print(
        f"{used} fields were learned from, {empty} have nothing in them" + ("; not from these:" if shown else ".")
    )
    if shown:
        table = Table("field", "why")
        for one in shown[:SHOWN_FIELDS]:
            table.add_row(one["label"], _why(one))
        console.print(table)
        if len(shown) > SHOWN_FIELDS:
            console.print(f"and {len(shown) - SHOWN_FIELDS} more: scoreModel{{versions{{report{{dropped}}}}}}")


def _outcome(version: ScoreModelVersion) -> str:
    match version.state:
        case ScoreVersionState.ACTIVE:
            return "is in use now"
        case ScoreVersionState.CANDIDATE:
            return (
                "is kept, and not used yet: too few leads have ended since the one in use was trained to tell which is "
                "better. `salescycle score promote` puts it into use"
            )
        case _:
            return "is kept, and not used: it foretells no better than what is, or than saying the rate for each"


async def promote(asked: Asked, database_url: str, *, model: str | None, number: int | None) -> None:
    """Put a version that was learned into use, the newest unless numbered, and tell why it was not yet."""
    async with _asking(asked, database_url) as (actor, console):
        row = await _model(actor, ScoreModelKind.LEARNED, model)
        if row is None:
            called = f" with the name {model}" if model else ""
            raise StartFailed(f"There is no model that learns{called}: `salescycle score train` makes one.")
        versions = ScoreModelVersion.filter(model_id=row.id, **({} if number is None else {"number": number}))
        version = await versions.order_by("-number").first()
        if version is None:
            raise StartFailed(f"{row.name} has no version{'' if number is None else f' {number}'}: train it first.")
        stood = _standing(version, row)
        await score_models.promote(actor, version.id, now=_now())
        console.print(f"Version {version.number} of {row.name} {stood}.", markup=False)
        _used(console)


def _standing(version: ScoreModelVersion, row: ScoreModel) -> str:
    match version.state:
        case ScoreVersionState.ACTIVE if row.active:
            return "was in use already"
        case ScoreVersionState.ACTIVE | ScoreVersionState.RETIRED:
            return "was in use before another one"
        case ScoreVersionState.CANDIDATE:
            return "waited for somebody to decide: too few leads had ended to tell whether it is better"
        case ScoreVersionState.REJECTED if version.retired_at is not None:
            return "was in use, and rolled back"
        case ScoreVersionState.REJECTED:
            return "was not used: it foretold no better than what was in use, or than saying the rate for each"


async def roll_back(asked: Asked, database_url: str, *, model: str | None) -> None:
    """Put the version of a model that was in use before the one that is back into use."""
    async with _asking(asked, database_url) as (actor, console):
        row = await _model(actor, ScoreModelKind.LEARNED, model) or await _model(actor, ScoreModelKind.RULES, model)
        if row is None:
            raise StartFailed(f"There is no model{f' with the name {model}' if model else ' of your own'}.")
        version = await score_models.roll_back(actor, row.id, now=_now())
        console.print(f"Version {version.number} of {row.name} was in use before.", markup=False)
        _used(console)


def _used(console: Console) -> None:
    console.print("It is in use now: workers score all open leads by it.")


def _auc(quality: Mapping[str, Any]) -> str:
    low, high = quality["auc_low"], quality["auc_high"]
    chance = "; chance is within that" if low <= 0.5 <= high else ""
    return f"{quality['auc']:.3f} (95 %: {low:.3f} to {high:.3f}{chance})"


def _lift(quality: Mapping[str, Any]) -> str:
    return f"{quality['deciles'][0]['lift']:.2f}" if quality["deciles"] else "unknown"


def _why(dropped: Mapping[str, Any]) -> str:
    match dropped["why"]:
        case "CONSTANT":
            return "nearly all leads say the same"
        case "NO_RATE":
            return "all amounts are in currencies without an exchange rate"
        case "SPARSE":
            return "too few leads say anything"
        case "DISTINCT":
            return "nearly every lead says something of its own"
        case _:
            return f"alone it tells outcomes apart (AUC {dropped['auc']:.3f}): written with them, or else --trust it"


async def preview(asked: Asked, database_url: str, *, model: str | None, age_days: int) -> None:
    """Tell how a model's drafted rules would have scored closed leads; without one, those that ship with Salescycle."""
    async with _asking(asked, database_url) as (actor, console):
        row = await _model(actor, ScoreModelKind.RULES, model)
        if row is None and model is not None:
            raise StartFailed(f"There is no model by rules with the name {model}.")
        found = await score_models.preview(actor, row, age_days=age_days, now=_now())
        of = f"The rules of {row.name}" if row else "The rules that ship with Salescycle"
        console.print(f"{of}, on {found.leads:,} closed leads as they stood at {age_days} days, {found.won:,} won:")
        if found.auc is None:
            console.print("  nothing can be said before leads are closed of both ends.")
        else:
            console.print(f"  AUC {_auc({'auc': found.auc, 'auc_low': found.auc_low, 'auc_high': found.auc_high})}")
            console.print(f"  the top fifth held {found.top_fifth:.0%} of the wins")
            table = Table("tenth", "leads", "won", "win rate", "lift")
            for number, one in enumerate(found.deciles, 1):
                table.add_row(
                    str(number), str(one["leads"]), str(one["won"]), f"{one['win_rate']:.1%}", f"{one['lift']:.2f}"
                )
            console.print(table)
        for problem in found.problems:
            console.print(f"  {problem}")


async def explain(asked: Asked, database_url: str, *, lead: str) -> None:
    """Tell a lead's score with its reasons."""
    async with _asking(asked, database_url) as (actor, console):
        row = await _lead(actor, lead)
        console.print(f"{row.title} ({ids.encode('Lead', row.id)})", markup=False)
        if row.score is None:
            console.print(
                "It has no score yet: a worker gives it one."
                if row.closed_at is None
                else "It has no score: it was closed before it was given one, and closed leads are not scored."
            )
            return
        chance = "" if row.win_probability is None else f", {row.win_probability:.1%} likely to be won"
        console.print(
            f"Score {row.score}, grade {row.grade or '-'}, engagement {row.engagement or '-'}{chance}; "
            f"as of {row.scored_at:%Y-%m-%d %H:%M} UTC."
        )
        unit = "points" if row.win_probability is None else "log-odds"
        table = Table("reason", unit)
        for factor in row.score_factors:
            table.add_row(factor["label"], f"{factor['points']:+g}")
        console.print(table)


async def export(asked: Asked, database_url: str, *, to: Path) -> None:
    """Write the scores and reasons of all leads that may be seen as CSV."""
    async with _asking(asked, database_url) as (actor, console):
        with to.open("wb") as file:
            async for part in score_lists.as_csv(actor):
                file.write(part)
        console.print(f"They stand in {to}.", markup=False)


async def _model(actor: Actor, kind: ScoreModelKind, name: str | None) -> ScoreModel | None:
    """Return the model of this name, else the one in use, else a sole one. Raises StartFailed."""
    known = await policy.visible(actor, ScoreModel).filter(kind=kind, archived_at=None).order_by("name")
    if name is not None:
        return next((row for row in known if row.name.casefold() == name.casefold()), None)
    if (used := next((row for row in known if row.active), None)) is not None:
        return used
    if len(known) > 1:
        raise StartFailed(f"Name a model with --model: there are {', '.join(row.name for row in known)}.")
    return known[0] if known else None


async def _lead(actor: Actor, named: str) -> Lead:
    """Return a lead by its id, or by its title where only one has it."""
    visible = policy.visible(actor, Lead).filter(deleted_at=None)
    if (key := _key(named)) is not None:
        found: Sequence[Lead] = await visible.filter(id=key)
    else:
        found = await visible.filter(title__iexact=named).order_by("id").limit(SHOWN_FIELDS)
    if len(found) == 1:
        return found[0]
    if not found:
        raise StartFailed(f"There is no lead {named}.")
    told = "\n".join(f"- {ids.encode('Lead', row.id)}" for row in found)
    raise StartFailed(f"Several leads are called so; name one by its id:\n{told}")


def _key(named: str) -> UUID | None:
    try:
        return ids.parse(named)[1] if named.startswith(ids.prefix("Lead")) else UUID(named)
    except ValueError:
        return None
