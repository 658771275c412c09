"""The published decision cases: data for anybody, and what has them decided and compared."""
