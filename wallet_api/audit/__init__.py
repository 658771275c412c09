"""The access log: who did what to whose data, durable before anything is released, and tamper-evident."""
