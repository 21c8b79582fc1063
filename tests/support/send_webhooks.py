"""A sender in a process of its own, to be killed: `python -m tests.support.send_webhooks LEASE`."""

import sys
import time
from dataclasses import replace

from app.resources import get_resources
from app.webhooks.deliveries import fan_out
from app.webhooks.rounds import send_alone
from app.webhooks.sender import options_of


def main() -> None:
    resources = get_resources()
    options = replace(
        options_of(resources.settings),
        lease_seconds=float(sys.argv[1]),
        retry_seconds=(0.05,) * 8,
    )
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        fan_out(resources.database)
        send_alone(resources.database, options)
        time.sleep(0.02)


if __name__ == "__main__":
    main()
