"""One request to predict: what is asked, who answers it, and what becomes of errors."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from api.predicting.names import Target
from app.access.principal import Principal
from app.core.errors import Overloaded, RetortError, Unavailable
from app.endpoints.routing import ActiveRevision, Arm, Plan, plan, sticky_key
from app.history.policy import ALL, NONE, HistoryPolicy
from app.prediction.answer_cache import shown_input

Inputs = Sequence[Mapping[str, Any]]
Cause = Literal["timeout", "error", "out_of_domain"]

#: problems of the model or the cluster, not of the request
_OURS = frozenset(
    (
        *("internal_error", "lost_worker", "out_of_memory", "temporary_failure", "not_found"),
        *("model_altered", "model_outdated", "content_missing", "hung"),
    )
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request."""

    caller: Principal
    #: a model, or `endpoint:<name>`
    ref: str
    inputs: Inputs
    #: what the caller waits
    seconds: float
    request_id: str
    use_cache: bool = True
    #: store the answers, whatever the endpoint's policy
    remember: bool = False
    #: of the header X-Retort-Key, of the body
    sticky_header: str | None = None
    sticky_field: str | None = None

    @property
    def structure(self) -> str | None:
        """What the first input says, for endpoints that stick to structures."""
        shown = shown_input(self.inputs[0])
        return shown if isinstance(shown, str) else str(sorted(shown.items()))


@dataclass(frozen=True, kw_only=True)
class Predicted:
    model: Arm
    #: of each input, as `answer_cache.split` made them
    items: Sequence[bytes]
    cached: Sequence[bool]
    revision: ActiveRevision | None = None
    #: who stepped in, why, and for which inputs
    fallback: tuple[Arm, Cause, Sequence[int]] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """Who is to answer a request."""

    model: Arm
    revision: ActiveRevision | None = None
    shadows: tuple[Arm, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What is stored of a request: of its answer and of the shadows' answers the same inputs, drawn
    once, for one without the other compares nothing.
    """

    #: of those inputs
    keys: frozenset[str]
    #: None: as the installation keeps them
    keep_days: int | None

    @property
    def policy(self) -> HistoryPolicy:
        """Of what was drawn already."""
        return HistoryPolicy(store="all", keep_days=self.keep_days)


def choose(target: Target, asked: Asked) -> Choice:
    if isinstance(target, Arm):
        return Choice(model=target)
    key = sticky_key(
        target,
        header=asked.sticky_header,
        field=asked.sticky_field,
        structure=asked.structure if target.sticky == "structure" else None,
    )
    chosen: Plan = plan(target, key=key, draw=random.random)
    return Choice(model=chosen.live, revision=target, shadows=chosen.shadows)


def fallback_of(choice: Choice, cause: Cause | None) -> Arm | None:
    """Who steps in for that cause; nobody for the fallback itself, nor for a shadow."""
    revision = choice.revision
    if revision is None or choice.model.mode != "live" or cause not in revision.fallback_when:
        return None
    return revision.fallback


def cause_of(error: RetortError) -> Cause | None:
    """None for what is the caller's mistake."""
    if isinstance(error, Overloaded):
        return "error"
    if isinstance(error, Unavailable):
        return "timeout" if error.problem()["code"] == "no_worker_answered" else "error"
    return "error" if error.problem()["code"] in _OURS else None


def kept_of(
    asked: Asked, revision: ActiveRevision | None, keys: Sequence[str], *, shadowed: bool
) -> Kept | None:
    """`keys`: of the inputs. `shadowed`: a shadow predicts them too."""
    policy = _policy(asked, revision, shadowed=shadowed)
    kept = frozenset(key for key in set(keys) if policy.keeps())
    return Kept(keys=kept, keep_days=policy.keep_days) if kept else None


def _policy(asked: Asked, revision: ActiveRevision | None, *, shadowed: bool) -> HistoryPolicy:
    """A shadow is there to be compared, so what it predicts is stored where nothing else is."""
    if asked.remember:
        return ALL
    if revision is None:
        return NONE
    said = revision.history
    store = "all" if shadowed and said.store == "none" else said.store
    return HistoryPolicy(store=store, share=said.share or 1.0, keep_days=said.keep_days)


def question_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Without the caller's own id."""
    return {name: given.get(name) for name in ("smiles", "features")}
