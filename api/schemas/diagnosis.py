"""What `GET /admin/diagnosis` answers."""

from typing import Literal

from pydantic import BaseModel

State = Literal["ok", "warn", "fail"]


class DiagnosisItem(BaseModel):
    name: str
    #: fail: something does not work, or will not; warn: somebody should look
    state: State
    said: str
    #: why it matters, and what to type; empty where nothing is to be done
    why: str
    remedy: str


class Diagnosis(BaseModel):
    #: the worst of its items
    state: State
    items: list[DiagnosisItem]
