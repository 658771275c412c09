"""What touches the machine: clock, ids, keys, database connection, processes, logs."""
