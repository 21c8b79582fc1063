"""The event log: what happened, told once, in an order that everybody sees."""
