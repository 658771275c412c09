"""Campaigns: one message to an audience, approved by two, sent at a bounded pace, counted as it goes."""
