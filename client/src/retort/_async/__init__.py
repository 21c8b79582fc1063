"""The client for `await`; the one place where it is written.

`retort._sync` is made of this package by `client/generate_sync.py`; only `io.py` is written twice.
"""
