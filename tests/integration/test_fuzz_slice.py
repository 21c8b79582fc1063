"""A seeded slice of `make fuzz`: what the OpenAPI document says holds at a real gateway."""

import pytest

from tests.fuzz.gateway import fuzzed_gateway
from tests.fuzz.run import fuzz


@pytest.mark.slow
def test_the_document_says_what_the_gateway_does(server_home, tmp_path):
    """All checks, on the example of each operation: always the same requests, however fast the
    machine is; what `make fuzz` makes up beyond them is for people to look at.
    """
    home = server_home / "fuzzed"
    home.mkdir(mode=0o711)
    with fuzzed_gateway(home) as fuzzed:
        found = fuzz(fuzzed, tmp_path, examples=2, seed=7, phases="examples")
    assert found.failures == [], found.output[-6000:]
    assert found.operations > 100
    assert found.requests > 30
