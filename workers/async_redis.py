"""Connections to Redis for coroutines."""

from redis.asyncio import Redis


def connect(url: str, *, timeout: float) -> "Redis[bytes]":
    """A pool of its own. `timeout`: of each answer, in seconds."""
    return Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=min(timeout, 5.0))


async def close(*connections: "Redis[bytes]") -> None:
    for connection in connections:
        await connection.aclose()  # type: ignore[attr-defined] # the stubs are older
