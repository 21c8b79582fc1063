"""A private Postgres and a private Redis: the machine's own, else those that wheels carry.

Used by the embedded supervisor, the tests and the benchmarks. Both listen on 127.0.0.1 only, ask
for a password that is made at the first start, and keep their folder between starts.
"""

from workers.servers.base import Server, ServerStartError, free_port
from workers.servers.postgres import PostgresServer
from workers.servers.redis import RedisServer

__all__ = ["PostgresServer", "RedisServer", "Server", "ServerStartError", "free_port"]
