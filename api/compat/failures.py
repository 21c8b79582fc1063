"""What goes wrong on the routes of a system that Retort replaces, in that system's words too."""

from typing import Any


def failure_members(path: str, detail: str, remedy: str) -> dict[str, Any]:
    """Members beside those of the problem document; the ML worker's: {success, message}. OSDR's
    clients look for their word in `status`: there it stands in the place of the number that
    RFC 9457 repeats from the status line, and that readers of the RFC ignore when it is none.
    """
    if path.startswith("/compat/worker/"):
        return {"success": False, "message": f"{detail}. {remedy}"}
    if path.startswith("/compat/osdr/"):
        return {"status": "failed"}
    return {}
