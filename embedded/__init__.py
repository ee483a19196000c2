"""PostgreSQL and Valkey from wheels, and `up`, which keeps them and our own processes alive."""
