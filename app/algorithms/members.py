"""What a member of a consensus is given: a share of the job's progress, names of its own."""

from typing import Any
from uuid import UUID

from app.core.work import WorkContext


class MemberWork:
    """The work of the whole, of which this member does one part of `total`."""

    def __init__(self, whole: WorkContext, *, name: str, number: int, total: int) -> None:
        self._whole = whole
        self._name = name
        self._number = number
        self._total = total

    @property
    def job_id(self) -> UUID:
        return self._whole.job_id

    @property
    def project_id(self) -> UUID:
        return self._whole.project_id

    @property
    def attempt(self) -> int:
        return self._whole.attempt

    @property
    def plan_attempt(self) -> int:
        return self._whole.plan_attempt

    def progress(
        self,
        done: float,
        total: float,
        *,
        unit: str = "row",
        stage: str = "",
        message: str = "",
        **extra: Any,
    ) -> None:
        """Told as a part of all members' work."""
        self._whole.progress(
            self._number * total + done,
            self._total * total,
            unit=unit,
            stage=stage,
            message=f"{self._name} {message}".strip(),
            **extra,
        )

    def warn(self, code: str, detail: str) -> None:
        self._whole.warn(code, f"{self._name}: {detail}")

    def event(self, type_: str, data: dict[str, Any]) -> None:
        self._whole.event(type_, {"member": self._name, **data})

    def raise_if_cancelled(self) -> None:
        self._whole.raise_if_cancelled()


class MemberTrial:
    """An Optuna trial in which two members may both have a parameter of one name."""

    def __init__(self, trial: Any, member: str) -> None:
        self._trial = trial
        self._member = member

    def suggest_int(self, name: str, *bounds: Any, **options: Any) -> int:
        value: int = self._trial.suggest_int(f"{self._member}.{name}", *bounds, **options)
        return value

    def suggest_float(self, name: str, *bounds: Any, **options: Any) -> float:
        value: float = self._trial.suggest_float(f"{self._member}.{name}", *bounds, **options)
        return value

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        return self._trial.suggest_categorical(f"{self._member}.{name}", choices)
