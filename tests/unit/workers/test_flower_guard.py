"""Flower starts behind a login only, and read-only."""

import pytest

from workers.flower_guard import FlowerIsOpenError, guard_flower

COMMAND = ["celery", "-A", "workers.celery_app", "flower", "--port=5555"]
GOOD = "ana:correct horse"


def test_it_is_read_only_unless_somebody_says_otherwise():
    environment = {"FLOWER_BASIC_AUTH": GOOD}
    guard_flower(environment, COMMAND)
    assert environment["FLOWER_READ_ONLY"] == "true"
    environment = {"FLOWER_BASIC_AUTH": GOOD, "FLOWER_READ_ONLY": "false"}
    guard_flower(environment, COMMAND)
    assert environment["FLOWER_READ_ONLY"] == "false"


def test_the_login_may_lie_in_a_file(tmp_path):
    path = tmp_path / "login"
    path.write_text(f"{GOOD}\n")
    environment = {"FLOWER_BASIC_AUTH_FILE": str(path)}
    guard_flower(environment, COMMAND)
    assert environment["FLOWER_BASIC_AUTH"] == GOOD
    assert "FLOWER_BASIC_AUTH_FILE" not in environment, "Flower refuses names that it does not know"


@pytest.mark.parametrize(
    "login", ["", "ana", "ana:", ":correct horse", "ana:short", f"{GOOD},bob:"]
)
def test_it_does_not_start_without_a_login(login):
    with pytest.raises(FlowerIsOpenError, match="Flower"):
        guard_flower({"FLOWER_BASIC_AUTH": login}, COMMAND)


def test_a_login_of_another_sort_is_left_to_flower():
    guard_flower({"FLOWER_AUTH": ".*@example.org"}, COMMAND)
    guard_flower({}, [*COMMAND, f"--basic-auth={GOOD}"])
    with pytest.raises(FlowerIsOpenError):
        guard_flower({}, [*COMMAND, "--auth_provider=x"])
