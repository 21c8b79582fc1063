"""The pages that the gateway serves, in a real browser: drawn whole, and nothing is refused."""

import os
import re
import threading
import time
from pathlib import Path

import pytest
import uvicorn

from app.access.keys import create_key
from tests.support.browser import chromium, look_at
from tests.support.served_models import dataset, train  # noqa: F401 - a fixture
from workers.servers import free_port

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="no Chromium on this machine: apt-get install chromium"
)


@pytest.fixture
def address(resources):
    """The gateway on a port; it takes who has no key for one who has (a browser sends none)."""
    from api.main import create_api

    gateway = create_api(resources)
    with resources.database.session() as session:
        key = create_key(session, name="browser")
    header = (b"authorization", f"Bearer {key.text}".encode())

    async def known(scope, receive, send):
        if scope["type"] == "http":
            scope["headers"] = [*scope["headers"], header]
        await gateway(scope, receive, send)

    port = free_port()
    server = uvicorn.Server(uvicorn.Config(known, port=port, log_level="warning", lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


#: a folder, for a person to look at them
PICTURES = os.environ.get("RETORT_TEST_PICTURES")


def keep(name, page):
    if PICTURES:
        Path(PICTURES, f"{name}.png").write_bytes(page.picture)


def refusals(page):
    return [line for line in page.console if "Content Security Policy" in line or "rror" in line]


@pytest.mark.slow
def test_the_documentation_shows_every_route(address):
    page = look_at(f"{address}/docs", picture=bool(PICTURES))
    keep("docs", page)
    assert not refusals(page)
    assert len(re.findall(r'class="opblock ', page.document)) > 60
    assert "/api/v1/jobs" in page.document


@pytest.mark.slow
def test_the_report_of_a_model_is_drawn(address, resources, dataset):  # noqa: F811
    model = train(resources, dataset)
    for path in (
        f"models/{model['model_id']}/report",
        f"models/{model['model_id']}/files/report.html",
    ):
        page = look_at(f"{address}/api/v1/{path}", seconds=2, picture=True)
        keep("report", page)
        assert not refusals(page)
        assert "<svg" in page.document
        assert len(page.picture) > 50_000, "an empty page makes a small picture"


@pytest.mark.slow
@pytest.mark.parametrize("path", ["problems", "problems/not_found"])
def test_the_pages_of_problems_keep_their_style(address, path):
    page = look_at(f"{address}/{path}", seconds=2, picture=bool(PICTURES))
    keep(path.replace("/", "-"), page)
    assert not refusals(page)
    assert "<h1>" in page.document
