"""Salescycle beside what its users would pick instead, on the same tables, the same core and in the same minutes."""
