"""What workers have told of themselves, as Prometheus reads it."""

from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from app.monitoring.worker_reports import (
    Drains,
    Sweeps,
    WorkerUsage,
    read_drains,
    read_sweeps,
    worker_usages,
)
from app.resources import Resources


class WorkerFigures:
    """Memory and GPUs of workers, sweeps and drains; told anew at every scrape."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, about: str, labels: Sequence[str] = ()) -> Gauge:
            return Gauge(name, about, labels, registry=registry)

        self._memory = gauge(
            "retort_worker_memory_bytes",
            "Memory of a worker and all its processes; shared pages count once",
            ["worker", "host"],
        )
        self._child = gauge(
            "retort_worker_largest_child_ratio",
            "Memory of a worker's largest child, as a share of what a child may hold",
            ["worker", "host"],
        )
        gpu = ["host", "gpu"]
        self._gpu_used = gauge("retort_gpu_memory_used_bytes", "Memory in use on the GPU", gpu)
        self._gpu_total = gauge("retort_gpu_memory_bytes", "Memory of the GPU", gpu)
        self._gpu_busy = gauge(
            "retort_gpu_busy_ratio", "Share of the last second in which a kernel ran", gpu
        )
        self._sweep_age = gauge("retort_sweep_age_seconds", "Since the last sweep of all jobs")
        self._totals = _Totals(registry)

    def tell(self, resources: Resources) -> None:
        """Raises redis errors."""
        self._tell_usages(worker_usages(resources.cache))
        sweeps = read_sweeps(resources.cache)
        self._sweep_age.set(float("nan") if sweeps.age is None else sweeps.age)
        self._totals.set(sweeps, read_drains(resources.cache))

    def _tell_usages(self, usages: Sequence[WorkerUsage]) -> None:
        """Workers and GPUs that are gone have no series."""
        for one in (self._memory, self._child, self._gpu_used, self._gpu_total, self._gpu_busy):
            one.clear()
        for usage in usages:
            self._memory.labels(usage.worker, usage.host).set(usage.memory)
            share = usage.largest_child / max(1, usage.child_limit)
            self._child.labels(usage.worker, usage.host).set(share)
            for gpu in usage.gpus:
                self._gpu_used.labels(usage.host, gpu.index).set(gpu.memory_used)
                self._gpu_total.labels(usage.host, gpu.index).set(gpu.memory_total)
                self._gpu_busy.labels(usage.host, gpu.index).set(gpu.busy)


class _Totals(Collector):
    """Counters that others count: of the whole cluster, so that gateways tell the same."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._sweeps = Sweeps(number=0, seconds=0.0, found={}, age=None)
        self._drains = Drains(number={True: 0, False: 0}, seconds=0.0)
        registry.register(self)

    def set(self, sweeps: Sweeps, drains: Drains) -> None:
        self._sweeps, self._drains = sweeps, drains

    def describe(self) -> Iterator[CounterMetricFamily]:
        """Names and labels, for the registry."""
        yield from self.collect()

    def collect(self) -> Iterator[CounterMetricFamily]:
        found = CounterMetricFamily(
            "retort_sweep_found", "What sweeps found and mended", labels=["what"]
        )
        for what, number in self._sweeps.found.items():
            found.add_metric([what], number)
        drains = CounterMetricFamily(
            "retort_worker_drains",
            "Workers that were told to end; in_time: their children ended by themselves",
            labels=["in_time"],
        )
        for in_time, number in self._drains.number.items():
            drains.add_metric(["yes" if in_time else "no"], number)
        yield found
        yield drains
        for name, about, value in (
            ("retort_sweeps", "Sweeps of all jobs", self._sweeps.number),
            ("retort_sweep_seconds", "Time that sweeps took", self._sweeps.seconds),
            ("retort_worker_drain_seconds", "Time that drains took", self._drains.seconds),
        ):
            yield CounterMetricFamily(name, about, value=value)
