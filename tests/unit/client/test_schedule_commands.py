"""`retort schedule`: what a person types, sees, and what is sent."""

import pytest

pytestmark = pytest.mark.req("goal-22", "goal-85")

CREATE = (
    *("schedule", "create", "nightly", "--cron", "0 2 * * SUN", "--tz", "Europe/Berlin"),
    *("--retrain", "mols", "--data", "mols", "--evaluate-on", "mols:1"),
)
COMING = [
    {"at": "2026-03-29T00:00:00Z", "local": "2026-03-29T01:00:00+01:00"},
    {"at": "2026-03-29T01:00:00Z", "local": "2026-03-29T03:00:00+02:00"},
]


@pytest.fixture
def trained(shell):
    assert shell.run("data", "push", "mols.csv", "--target", "y").code == 0
    words = ("train", "mols", "--target", "y", "--algorithm", "ridge", "--alias", "champion")
    assert shell.run(*words).code == 0
    return shell


def test_next_runs_are_shown_by_the_clock_of_the_zone_and_in_utc(trained):
    assert trained.run(*CREATE).code == 0, trained.err
    trained.server.state.schedules["nightly"]["next_runs"] = COMING
    shown = trained.run("schedule", "ls").out
    assert "0 2 * * SUN Europe/Berlin" in shown
    assert "2026-03-29 03:00 +02:00  2026-03-29 01:00" in shown
    assert (
        "next 2026-03-29 03:00 +02:00  (2026-03-29 01:00 UTC)"
        in trained.run("schedule", "show", "nightly").out
    )
    trained.server.state.schedules["nightly"]["next_runs"] = []
    trained.run("schedule", "pause", "nightly")
    assert "paused" in trained.run("schedule", "ls").out


def test_a_retraining_is_sent_as_it_was_typed(trained):
    trained.run(*CREATE, "--then", "promote", "--only-new-data", "--set", "retrain.min_delta=0.1")
    made = trained.json("schedule", "show", "nightly")
    assert made["retrain"] == {
        "model": "mols",
        "dataset": "mols",
        "evaluate_on": "mols:1",
        "then": "promote",
        "only_new_data": True,
        "min_delta": 0.1,
    }
    assert (made["timezone"], made["missed"], made["overlap"]) == ("Europe/Berlin", "last", "skip")


@pytest.mark.parametrize(
    ("word", "outcome", "champion"), [("approve", "promoted", 2), ("reject", "rejected", 1)]
)
def test_a_held_run_says_what_to_type_and_takes_it(trained, word, outcome, champion):
    trained.run(*CREATE)
    shown = trained.run("schedule", "run", "nightly").out
    run = trained.json("schedule", "history", "nightly")[0]
    assert f"schedule approve nightly {run['id']}" in shown
    assert f"schedule reject nightly {run['id']}" in shown
    assert run["state"] == "held"
    assert outcome in trained.run("schedule", word, "nightly", run["id"]).out
    assert outcome in trained.run("schedule", "history", "nightly").out
    assert trained.server.state.aliases["mols", "champion"]["version"] == champion


def test_a_job_comes_from_a_file_or_from_stdin(trained, tmp_path):
    text = '{"kind": "evaluate", "params": {"model": "mols:1"}}'
    (tmp_path / "job.json").write_text(text)
    words = ("schedule", "create", "--cron", "@daily", "--job")
    assert trained.run(*words, "job.json", "one").code == 0, trained.err
    assert trained.run(*words, "-", "two", stdin=text).code == 0, trained.err
    one, two = (trained.json("schedule", "show", name)["job"] for name in ("one", "two"))
    assert one == two == {"kind": "evaluate", "params": {"model": "mols:1"}}
    assert (
        trained.run("schedule", "create", "three", "--cron", "@daily", "--evaluate", "mols:1").code
        == 0
    )
    assert trained.json("schedule", "show", "three")["job"] == one


@pytest.mark.parametrize(
    "words",
    [
        ("schedule", "create", "n", "--cron", "@daily"),
        ("schedule", "create", "n", "--cron", "@daily", "--retrain", "mols"),
        ("schedule", "create", "n", "--cron", "@daily", "--retrain", "m", "--evaluate", "m"),
        ("schedule", "create", "n", "--cron", "every day", "--evaluate", "mols:1"),
        ("schedule", "set", "nightly"),
    ],
)
def test_what_is_said_wrong_is_refused_and_changes_nothing(trained, words):
    assert trained.run(*words).code != 0
    assert trained.server.state.schedules == {}


def test_a_dry_run_sends_nothing(trained):
    shown = trained.run(*CREATE, "--dry-run").out
    assert "curl" in shown
    assert "/api/v1/schedules" in shown
    assert trained.server.state.schedules == {}
