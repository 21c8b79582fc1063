"""A divided kind run in this process: plan, every chunk, finalize. No engine, no queue."""

from app.core.work import ChunkResult


def run_fan_out(service, resources, context, params, *, fail=(), order=range):
    """The outcome; chunks whose number is in `fail` are reported as crashed. `order`: of how many
    chunks -> their numbers, as they are run.
    """
    plan = service.plan(resources, context, params)
    results = []
    for number in order(len(plan.chunks)):
        spec = plan.chunks[number]
        if number in fail:
            results.append(
                ChunkResult(chunk=number, spec=spec, state="failed", result={}, reason="it crashed")
            )
            continue
        result = service.run_chunk(resources, context, params, spec)
        results.append(ChunkResult(chunk=number, spec=spec, state="succeeded", result=result))
    results.sort(key=lambda result: result.chunk)
    return service.finalize(resources, context, params, results)
