"""What a negotiation ended by."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from models.negotiations import NegotiationEnding

# What ended before this was kept: a side's doing has its party, the rest is read from the proposal as it is now.
BACKFILL = """
UPDATE negotiation n SET ending = CASE
    WHEN n.state = 'AGREED' THEN 'AGREED'
    WHEN n.ended_by IS NOT NULL THEN 'BROKEN_OFF'
    WHEN v.state = 'ACCEPTED' THEN 'PROPOSAL_ACCEPTED'
    WHEN v.state = 'DECLINED' THEN 'PROPOSAL_DECLINED'
    WHEN v.state = 'EXPIRED' THEN 'PROPOSAL_EXPIRED'
    WHEN v.state = 'SUPERSEDED' THEN 'PROPOSAL_SENT_ANEW'
    ELSE 'PROPOSAL_WITHDRAWN' END
FROM proposal_version v WHERE v.id = n.proposal_version_id AND n.state <> 'OPEN'
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0032_campaigns")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Negotiation",
            name="ending",
            field=fields.CharEnumField(
                null=True,
                description="\n".join(f"{one.name}: {one.value}" for one in NegotiationEnding),
                enum_type=NegotiationEnding,
                max_length=20,
            ),
        ),
        ops.RunSQL([BACKFILL], ["SELECT 1"]),
    ]
