"""Requests to addresses that a user names: never without this guard."""
