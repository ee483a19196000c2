"""Tortoise migrations, reviewed by eye; run by `salescycle migrate`."""
