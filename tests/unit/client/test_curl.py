"""Any call as curl, which really does what the call would."""

import json
import shlex

import pytest

from retort.testing import AsyncFakeRetort, FakeRetort


def words_of(text):
    """(method, url, headers, body) as curl reads the command."""
    words = shlex.split(text.replace("\\\n", " "))
    method, headers, body, url = "GET", {}, None, None
    pairs = iter(words[1:])
    for word in pairs:
        if word == "-X":
            method = next(pairs)
        elif word == "-H":
            name, _, value = next(pairs).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = json.loads(next(pairs))
        elif not word.startswith("-"):
            url = word
    return method, url, headers, body


@pytest.mark.parametrize("client", [FakeRetort(), AsyncFakeRetort()], ids=["sync", "async"])
def test_a_call_is_shown_and_not_sent(client):
    text = client.curl.train("esol", target='it\'s "y"', algorithm="ridge")
    method, url, headers, body = words_of(text)
    assert (method, url) == ("POST", "http://fake.retort/api/v1/jobs")
    assert body["params"]["targets"] == ['it\'s "y"']
    assert headers["Authorization"] == "Bearer $RETORT_API_KEY"
    assert len(headers["Idempotency-Key"]) >= 8
    assert "rt_fake" not in text
    assert client.server.calls == []


def test_filters_items_and_files_are_shown(tmp_path):
    path = tmp_path / "my mols.csv"
    path.write_text("smiles\nCCO\n")
    client = FakeRetort()
    assert "state=failed" in client.curl.jobs.list(state="failed", label={"a": "b"})
    assert "label=a:b" in client.curl.jobs.list(label={"a": "b"})
    assert "-X PUT" in client.curl.registry["sol"].promote(3)
    text = client.curl.datasets.create(path, target="y")
    assert f"'file=@{path}'" in text
    assert '"file_id": "FILE_ID", "name": "my-mols"' in text
    assert client.server.calls == []
