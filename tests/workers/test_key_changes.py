"""What is sealed and signed for long outlives a change of the server's key."""

import pytest

from domain import idempotency, payment_providers, score_models
from domain.actors import Actor
from domain.idempotency import AnswerSealed
from domain.jobs import Queue
from domain.score_models import ModelDetails
from domain.scoring import in_use
from models.idempotency import IdempotencyKey
from models.invoices import PaymentProvider
from models.scoring import ScoreModelKind, ScoreModelVersion
from tests.factories import NOW, member
from tests.keys import NEW, OLD, server_with
from tests.workers.conftest import Database, add_job
from workers import jobs
from workers.tasks.keys import follow_key_change

LOST = "a secret that nobody has any more, which is long"


async def follow(database: Database) -> None:
    await add_job(database, "follow_key_change", queue="bulk")
    for key in await jobs.due(Queue.BULK):
        job = await jobs.claim(key)
        assert job
        await follow_key_change.run(job)
        assert job.finished


async def known(provider: PaymentProvider) -> list[str]:
    return payment_providers.secrets_of(await PaymentProvider.get(id=provider.id), now=NOW)


async def test_secrets_and_models_follow_a_change_of_the_key(database: Database) -> None:
    with server_with(key=LOST):
        lost = await payment_providers.create(await member(), name="Lost", now=NOW)
    with server_with(key=OLD):
        admin = await member()
        provider = await payment_providers.create(admin, name="Bank", now=NOW)
        await payment_providers.rotate(admin, provider.id, now=NOW)
        secrets = await known(provider)
        model = await score_models.create(admin, ScoreModelKind.RULES, ModelDetails(name="Fit"), now=NOW)
        version = await score_models.publish(admin, model.id, now=NOW)

    with server_with(key=NEW, previous=OLD):
        await follow(database)
        await follow(database)

    with server_with(key=NEW):
        signed = await ScoreModelVersion.get(id=version.id)
        in_use.check(signed.model_id, signed.number, signed.content, signed.signature)
        assert len(secrets) == 2
        assert await known(provider) == secrets
        assert await known(lost) == []
    with server_with(key=LOST):
        assert len(await known(lost)) == 1


async def test_first_answers_are_read_by_the_keys_that_the_server_knows(database: Database) -> None:
    async def claim(actor: Actor) -> object:
        return await idempotency.claim(actor, "k", request_hash="h", abandoned_after=idempotency.KEPT, now=NOW)

    actor = await member()
    with server_with(key=OLD):
        claimed = await claim(actor)
        await idempotency.complete(claimed, b"a link", now=NOW)  # type: ignore[arg-type]
    with server_with(key=NEW, previous=OLD):
        assert await claim(actor) == b"a link"
    with server_with(key=NEW), pytest.raises(AnswerSealed):
        await claim(actor)
    [kept] = await IdempotencyKey.all()
    assert b"a link" not in bytes(kept.answer or b"")
