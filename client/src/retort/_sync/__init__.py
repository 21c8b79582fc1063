# made of _async/__init__.py by client/generate_sync.py: change that one
"""The client that waits, made of `retort._async`.

`retort._sync` is made of this package by `client/generate_sync.py`; only `io.py` is written twice.
"""
