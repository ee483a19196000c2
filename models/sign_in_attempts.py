"""How often something guessable was tried lately, per account and per address."""

from tortoise import fields

from models.base import Row


class SignInAttempt(Row):
    """`key` is what is tried and by whom, hashed: `attempts` of them until the window ends."""

    key = fields.CharField(max_length=64, unique=True)
    attempts = fields.IntField()
    until = fields.DatetimeField(db_index=True)

    class Meta:
        table = "sign_in_attempt"
