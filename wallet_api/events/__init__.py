"""What organisations are told about the consents they hold, and what they owe when one is over."""
