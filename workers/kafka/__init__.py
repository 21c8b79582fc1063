"""The Kafka bridge: events of the log go out, commands come in. A process of its own (`python -m
workers.kafka`) of the extra `kafka`; nothing else of Retort needs Kafka.
"""
