"""The health book: taking records in, keeping every version, and reading them through narrow windows."""
