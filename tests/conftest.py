"""Fixtures for every test; nothing starts until a test asks for it."""

import os

import hypothesis

from workers.processes import thread_limits

# Read by the libraries when they are first loaded, here and in every process that a test starts:
# `make test` runs several of pytest's, whose OpenMP pools would wait for each other on the cores.
os.environ |= {**thread_limits(1), **os.environ}

# The same examples each time, so that a change is judged by what it changes; others by
# `--hypothesis-profile=default`.
hypothesis.settings.register_profile("same", derandomize=True)
hypothesis.settings.load_profile("same")

pytest_plugins = [
    "tests.support.servers",
    "tests.support.resources",
    "tests.support.serving",
    "tests.support.served_models",
    "tests.support.warmed",
    "tests.support.cluster",
    "tests.support.gateway",
]
