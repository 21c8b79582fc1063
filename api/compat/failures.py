"""What goes wrong on the routes of a system that Retort replaces, in that system's words too."""

from typing import Any


def failure_members(path: str, detail: str, remedy: str) -> dict[str, Any]:
    """Members beside those of the problem document; the ML worker's: {success, message}."""
    if not path.startswith("/compat/worker/"):
        return {}
    return {"success": False, "message": f"{detail}. {remedy}"}
