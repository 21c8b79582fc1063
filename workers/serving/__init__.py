"""Predictions at once: gateways ask through Redis lists, serving processes answer in micro-batches.

protocol.py says what lies in the lists; client.py is the gateway's side; server.py what a serving
process does; supervision.py the worker's bootstep that keeps those processes alive.
"""
