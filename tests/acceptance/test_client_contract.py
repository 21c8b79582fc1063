"""The contract of the client on the real cluster."""

import pytest

from tests.support.client_contract import *  # noqa: F403 - the suite

pytestmark = pytest.mark.req("goal-99", "S1-28")
