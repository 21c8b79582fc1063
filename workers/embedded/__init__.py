"""The whole cluster on one machine, under one supervisor: `python -m workers.embedded up`."""
