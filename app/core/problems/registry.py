"""Problems of names, aliases and versions."""

from app.core.problems.base import ProblemType

PROBLEMS = (
    ProblemType(
        code="gate_failed",
        title="The version does not pass the gate of the alias",
        category="conflict",
        cause="The alias has a policy, and a check of it failed: on the named evaluation set the "
        "version is not shown to be as good as the one that bears the alias, or a figure that the "
        "policy needs is missing. `errors` is the table of checks.",
        remedy="Do what the remedy says for the failed checks, then promote again.",
        example="PUT /api/v1/registry/esol/aliases/champion with a version never evaluated",
    ),
    ProblemType(
        code="no_earlier_holder",
        title="There is no version to go back to",
        category="conflict",
        cause="A rollback goes back to who bore the alias before, and the history knows none: the "
        "alias was set once, or all rollbacks that there are were made.",
        remedy="Point the alias to the version that you mean: PUT "
        "/api/v1/registry/{name}/aliases/{alias}; GET .../history shows who bore it.",
    ),
    ProblemType(
        code="alias_changed",
        title="The alias was changed by somebody else meanwhile",
        category="conflict",
        cause="While a worker checked the version, another request moved the alias or changed its "
        "policy, so the checks say nothing about the alias as it is now.",
        remedy="Read the alias again, and send the request again if you still mean it.",
        retryable=True,
    ),
    ProblemType(
        code="model_in_use",
        title="Something depends on the version",
        category="conflict",
        cause="An alias or an endpoint points to the version; without it they would answer "
        "nothing. `errors` lists them.",
        remedy="Point what is listed to another version or take it away, then archive this one.",
        example="DELETE /api/v1/models/esol:3 while it is the champion",
    ),
    ProblemType(
        code="invalid_semver",
        title="That is no semantic version",
        category="invalid",
        cause="A semantic version is three numbers with dots, e.g. 1.2.0, perhaps with -suffix and "
        "+build (semver.org).",
        remedy='Write it as in {"semver": "1.2.0"}.',
        example='{"semver": "v1.2"}',
    ),
    ProblemType(
        code="semver_taken",
        title="Another version of the name has this semantic version",
        category="conflict",
        cause="Among the versions of a name each semantic version stands for one.",
        remedy='Choose the next one, or take it from the other version first ({"semver": null}).',
    ),
)
