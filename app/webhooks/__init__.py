"""Webhooks: events sent to addresses that users name, signed, in order, until they are received."""
