"""Fixtures for every test; nothing starts until a test asks for it."""

pytest_plugins = [
    "tests.support.servers",
    "tests.support.resources",
    "tests.support.serving",
    "tests.support.served_models",
    "tests.support.cluster",
    "tests.support.gateway",
]
