"""Connections that are used by hand answer in order, and outlive what a client outlives."""

import asyncio

import pytest
import redis
import uvloop

from app.core.redis_line import RedisLine
from workers.async_redis import AsyncLine


def cut(client):
    """Every connection but the caller's own, as a restart would."""
    client.execute_command("CLIENT", "KILL", "TYPE", "normal")


# ---- of a thread


def test_what_was_sent_is_done_before_what_is_asked(resources):
    line = RedisLine(resources.redis)
    line.send(("RPUSH", "l", b"a"), ("EXPIRE", "l", 60))
    line.send(("RPUSH", "l", b"b"))
    assert line.ask(("LPOP", "l"), ("LLEN", "l")) == [b"a", 1]
    assert 0 < resources.redis.ttl("l") <= 60


def test_what_may_go_later_goes_with_the_next_or_when_told_to(resources):
    line = RedisLine(resources.redis)
    line.flush()
    line.later(("SET", "a", b"1"))
    line.later(("SET", "b", b"2"), ("SET", "c", b"3"))
    assert resources.redis.exists("a", "b", "c") == 0
    assert line.ask(("MGET", "a", "b", "c")) == [[b"1", b"2", b"3"]]
    line.later(("SET", "a", b"4"))
    line.send(("SET", "b", b"5"))
    line.later(("SET", "c", b"6"))
    assert line.ask(("MGET", "a", "b", "c")) == [[b"4", b"5", b"6"]]
    line.later(("SET", "a", b"7"))
    line.flush()
    cut(resources.redis)
    line.later(("SET", "b", b"8"))
    assert line.ask(("MGET", "a", "b")) == [[b"7", b"8"]], "nor is it lost with its connection"


def test_what_is_refused_shifts_no_answers(resources, caplog):
    line = RedisLine(resources.redis)
    resources.redis.set("text", b"x")
    line.send(("RPUSH", "text", b"a"))
    assert line.ask(("GET", "text")) == [b"x"]
    assert "WRONGTYPE" in caplog.text
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        line.ask(("RPUSH", "text", b"a"), ("GET", "text"))
    assert line.ask(("GET", "text")) == [b"x"]


def test_answers_are_read_before_they_are_many_even_if_nobody_asks(resources, caplog):
    line = RedisLine(resources.redis)
    resources.redis.set("text", b"x")
    for _ in range(1000):
        line.send(("RPUSH", "text", b"a"))
    assert len(caplog.records) == 3
    assert "refused 256 of what was sent: WRONGTYPE" in caplog.text
    assert line.ask(("GET", "text")) == [b"x"]


def test_a_lost_connection_is_made_again_and_nothing_lost_with_it(resources):
    line = RedisLine(resources.redis)
    assert line.ask(("GET", "a")) == [None]
    cut(resources.redis)
    line.send(("SET", "a", b"1"))
    assert line.ask(("GET", "a")) == [b"1"]
    line.send(("SET", "b", b"2"))
    cut(resources.redis)
    assert line.ask(("GET", "a"), ("GET", "b")) == [b"1", b"2"]


def test_after_an_error_nothing_is_under_way(redis_url):
    line = RedisLine(redis.Redis.from_url(redis_url, socket_timeout=0.2))
    with pytest.raises(redis.TimeoutError):
        line.ask(("BLPOP", "empty", 1), ("RPUSH", "l", b"a"))
    assert line.ask(("PING",)) == [b"PONG"]


# ---- of coroutines


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def running(request):
    """Runs a coroutine to its end, in the loop of tests and in the gateway's."""
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner.run


def test_each_of_many_gets_its_own_answer(running, redis_url, resources):
    resources.redis.mset({str(n): n for n in range(100)})

    async def ask():
        line = AsyncLine(redis_url, timeout=5)
        found = await asyncio.gather(*(line.ask("GET", str(n)) for n in range(100)))
        await line.close()
        return found

    assert running(ask()) == [str(n).encode() for n in range(100)]
    opened = resources.redis.info("stats")["total_connections_received"]
    assert running(ask())
    assert resources.redis.info("stats")["total_connections_received"] == opened + 1


def test_who_no_longer_waits_shifts_no_answers(running, redis_url, resources):
    resources.redis.set("a", b"1")

    async def ask():
        line = AsyncLine(redis_url, timeout=5)
        waits = asyncio.create_task(line.ask("BLPOP", "empty", 0.3))
        await asyncio.sleep(0.1)
        waits.cancel()
        both = line.ask("RPUSH", "a", b"x"), line.ask("GET", "a")
        answers = await asyncio.gather(*both, return_exceptions=True)
        await line.close()
        return answers

    refused, found = running(ask())
    assert isinstance(refused, redis.ResponseError)
    assert found == b"1"


def test_a_lost_connection_is_made_again_for_all(running, redis_url, resources):
    async def ask():
        line = AsyncLine(redis_url, timeout=5)
        blocked = [asyncio.create_task(line.ask("BLPOP", "later", 5)) for _ in range(3)]
        await asyncio.sleep(0.1)
        cut(resources.redis)
        resources.redis.rpush("later", b"a", b"b", b"c")
        found = await asyncio.gather(*blocked)
        await line.close()
        return found

    assert sorted(value for _, value in running(ask())) == [b"a", b"b", b"c"]


def test_what_hangs_is_tried_once_for_all_who_wait(running):
    connections = []

    async def silent(reader, writer):
        connections.append(writer)
        await reader.read()
        writer.close()

    async def ask():
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        line = AsyncLine(f"redis://127.0.0.1:{port}", timeout=0.2)
        waiting = (line.ask("GET", str(n)) for n in range(20))
        found = await asyncio.gather(*waiting, return_exceptions=True)
        await line.close()
        server.close()
        return found

    assert [type(error) for error in running(ask())] == [redis.TimeoutError] * 20
    assert len(connections) == 1


def test_what_was_closed_stays_closed(running, redis_url, resources):
    async def ask():
        line = AsyncLine(redis_url, timeout=5)
        waits = asyncio.create_task(line.ask("BLPOP", "empty", 5))
        await asyncio.sleep(0.1)
        await line.close()
        return await asyncio.gather(waits, line.ask("PING"), return_exceptions=True)

    opened = resources.redis.info("stats")["total_connections_received"]
    assert [type(error) for error in running(ask())] == [redis.ConnectionError] * 2
    assert resources.redis.info("stats")["total_connections_received"] == opened + 1


def test_a_server_that_is_silent_is_not_waited_for(running):
    asked = []

    async def silent(reader, writer):
        while line := await reader.readline():
            asked.append(line)
            if b"SETINFO" in line.upper() or b"HELLO" in line.upper():
                writer.write(b"-ERR unknown command\r\n")
        writer.close()

    async def ask():
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        line = AsyncLine(f"redis://127.0.0.1:{port}?protocol=2", timeout=0.2)
        waiting = (line.ask("GET", name) for name in "ab")
        both = await asyncio.gather(*waiting, return_exceptions=True)
        await line.close()
        server.close()
        return both

    assert [type(error) for error in running(ask())] == [redis.TimeoutError] * 2
    assert asked
