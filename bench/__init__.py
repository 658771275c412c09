"""Measurements: one JSON object a line with name, value, unit, goal and ok. Ratios count, not absolutes."""
