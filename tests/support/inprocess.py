"""A divided kind run in this process: plan, every chunk, finalize. No engine, no queue."""

from app.core.work import ChunkResult


def run_fan_out(service, resources, context, params, *, fail=()):
    """The outcome; chunks whose number is in `fail` are reported as crashed."""
    plan = service.plan(resources, context, params)
    results = []
    for number, spec in enumerate(plan.chunks):
        if number in fail:
            results.append(
                ChunkResult(chunk=number, spec=spec, state="failed", result={}, reason="it crashed")
            )
            continue
        result = service.run_chunk(resources, context, params, spec)
        results.append(ChunkResult(chunk=number, spec=spec, state="succeeded", result=result))
    return service.finalize(resources, context, params, results)
