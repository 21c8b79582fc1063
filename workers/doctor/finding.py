"""One thing that was looked at."""

from dataclasses import asdict, dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    name: str
    #: fail: something does not work, or will not; warn: somebody should look
    state: State
    said: str
    #: why it matters, and what to type; empty where nothing is to be done
    why: str = ""
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def ok(name: str, said: str) -> Finding:
    return Finding(name=name, state="ok", said=said)


def worst(findings: "list[Finding]") -> State:
    states = {finding.state for finding in findings}
    return "fail" if "fail" in states else "warn" if "warn" in states else "ok"
