"""A made-up population: any number of synthetic citizens with families, books, consents and plans.

`people`, `books`, `providers` and `consents` are pure: the same seed and day give the same people and
contents, shard by shard. `filling` seals a shard and writes it through the stores; `run` does all shards in
two processes, goes on where it was stopped, and tells how far it is.
"""
