"""One trace from the caller through gateway, relay and worker, at a real OTLP/HTTP receiver."""

import gzip
import subprocess
import sys
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.support.observed import observed
from tests.support.waiting import wait_for

CALLER_TRACE, CALLER_SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{CALLER_TRACE}-{CALLER_SPAN}-01"


class Receiver(ThreadingHTTPServer):
    """What a collector does with `POST /v1/traces`, as far as we need it."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.spans = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        assert self.path == "/v1/traces"
        asked = ExportTraceServiceRequest.FromString(body)
        for of_resource in asked.resource_spans:
            resource = values(of_resource.resource.attributes)
            for scope in of_resource.scope_spans:
                self.server.spans += [(resource, span) for span in scope.spans]
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Not into the output of the tests."""


def values(attributes):
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


@pytest.fixture
def receiver():
    server = Receiver()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def of_job(receiver, job_id):
    """{name: [(resource, span, attributes)]} of the spans that name the job."""
    found = defaultdict(list)
    for resource, span in list(receiver.spans):
        attributes = values(span.attributes)
        if attributes.get("job.id") == job_id:
            found[span.name].append((resource, span, attributes))
    return found


@pytest.mark.slow
@pytest.mark.req("goal-86")
def test_a_job_is_one_trace(resources, retort_environment, fast_leases, tmp_path, receiver):
    environment = {
        **retort_environment,
        **fast_leases,
        "RETORT_OTLP_ENDPOINT": receiver.url,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    with observed(resources, environment, tmp_path) as (gateway, worker):
        headers = {"traceparent": TRACEPARENT, "X-Request-ID": "request-42"}
        asked = {"folder": str(tmp_path)}

        def post(kind, **params):
            posted = gateway.http.post(f"/probe/{kind}", json={**asked, **params}, headers=headers)
            job = posted.raise_for_status().json()["id"]
            assert gateway.finished(job)["state"] == "succeeded"
            return job

        alone, divided = post("probe_alone"), post("probe", chunks=3)
        whole = {"job submit", "job publish", "job run", "job claim", "job finish"}
        wait_for(lambda: whole <= set(of_job(receiver, alone)), "all spans of the job came")
        wait_for(
            lambda: (
                {"job chunk", "job finalize"} <= set(of_job(receiver, divided))
                and len(of_job(receiver, divided)["job chunk"]) == 3
            ),
            "all spans of the divided job came",
        )
        wait_for(
            lambda: sum(span.name == "POST /probe/{kind}" for _, span in receiver.spans) == 2,
            "the spans of both requests came",
        )
        worker.process.terminate()
        worker.process.wait(timeout=30)
    a_job_hangs_below_its_request(receiver, alone)
    parts_hang_below_their_submission(receiver, divided)
    assert gateway.key[12:] not in str(receiver.spans)


def a_job_hangs_below_its_request(receiver, job):
    found = {name: spans[0] for name, spans in of_job(receiver, job).items()}
    assert {span.trace_id.hex() for _, span, _ in found.values()} == {CALLER_TRACE}
    requests = [
        (resource, span)
        for resource, span in receiver.spans
        if span.span_id == found["job submit"][1].parent_span_id
    ]
    ((resource, request),) = requests
    assert resource["service.name"] == "retort-gateway"
    assert request.parent_span_id.hex() == CALLER_SPAN
    told = values(request.attributes)
    assert told["http.route"] == "/probe/{kind}"
    assert told["http.response.status_code"] == 202
    assert told["retort.request.id"] == "request-42"
    submit = found["job submit"][1]
    for name in ("job publish", "job run"):
        assert found[name][1].parent_span_id == submit.span_id, name
    run = found["job run"][1]
    for name in ("job claim", "job finish"):
        assert found[name][1].parent_span_id == run.span_id, name
    resource, _, attributes = found["job run"]
    assert resource["service.name"] == "retort-worker"
    assert attributes == {
        "job.id": job,
        "job.kind": "probe_alone",
        "job.queue": "cpu",
        "job.attempt": 1,
    }
    assert submit.start_time_unix_nano <= run.start_time_unix_nano <= run.end_time_unix_nano


def parts_hang_below_their_submission(receiver, job):
    found = of_job(receiver, job)
    ((_, submit, _),) = found["job submit"]
    chunks = found["job chunk"]
    assert {span.parent_span_id for _, span, _ in chunks} == {submit.span_id}
    assert {attributes["job.chunk"] for _, _, attributes in chunks} == {0, 1, 2}
    ((_, last, _),) = found["job finalize"]
    assert last.parent_span_id == submit.span_id
    assert last.start_time_unix_nano >= max(span.start_time_unix_nano for _, span, _ in chunks)


def test_off_nothing_is_imported_and_nothing_is_paid():
    """FastAPI and redis load OpenTelemetry's API for themselves; what makes and sends spans is
    loaded by nobody.
    """
    code = (
        "import sys, time\n"
        "import api.main, workers.job_task, workers.celery_app, workers.serving.server\n"
        "from app.core import tracing\n"
        "api.main.create_api()\n"
        "began = time.process_time()\n"
        "for _ in range(20_000):\n"
        "    with tracing.span('x', job_id='1'): tracing.record('y', 0)\n"
        "assert time.process_time() - began < 1, 'more than 50 microseconds a span'\n"
        "assert tracing.current_traceparent() is None\n"
        "ours = ('app.core.otlp', 'opentelemetry.sdk.trace', 'opentelemetry.exporter')\n"
        "found = [name for name in sys.modules if name.startswith(ours)]\n"
        "assert not found, found\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-500:]


def test_without_the_extra_it_is_said_and_all_goes_on():
    code = (
        "import sys\n"
        "sys.modules['opentelemetry'] = None\n"
        "from app.core.settings import Settings\n"
        "from app.core import tracing\n"
        "settings = Settings(otlp_endpoint='http://127.0.0.1:9')\n"
        "assert tracing.start_tracing(settings, role='gateway') is False\n"
        "with tracing.span('x'): pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "install the extra `otel`" in done.stderr
