"""PostgreSQL and Valkey from wheels, for a machine that has neither, and the processes that `up` keeps alive."""
