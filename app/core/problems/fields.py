"""Codes inside a problem or a job: of one field or row (`errors[].code`), and of warnings."""

#: `errors[].code` of ours and of pydantic, which validates requests; a wrong name or reference in
#: a field carries the problem's own code
FIELD_CODES: dict[str, str] = {
    "missing": "The field is required: add it.",
    "extra_forbidden": "There is no such field: correct its name (the nearest is said) or leave "
    "it out.",
    "union_tag_invalid": "The field that chooses the form of the request (`kind`) has a value that "
    "does not exist: take one of those listed.",
    "union_tag_not_found": "The field that chooses the form of the request (`kind`) is missing.",
    "literal_error": "The value is none of the allowed ones, which are listed, the nearest first.",
    "enum": "The value is none of the allowed ones, which are listed, the nearest first.",
    "string_type": "The value must be a text: put it in double quotes.",
    "string_too_short": "The text is shorter than allowed.",
    "string_too_long": "The text is longer than allowed.",
    "string_pattern_mismatch": "The text has another form than the pattern that is named; names "
    "are lower-case letters, digits, `.`, `_` and `-`.",
    "int_type": "The value must be a whole number, without quotes.",
    "int_parsing": "The value must be a whole number.",
    "int_from_float": "The value must be a whole number.",
    "float_type": "The value must be a number, without quotes.",
    "float_parsing": "The value must be a number.",
    "finite_number": "The value must be a finite number: no NaN, no infinity.",
    "bool_type": "The value must be `true` or `false`.",
    "bool_parsing": "The value must be `true` or `false`.",
    "greater_than": "The number is too small.",
    "greater_than_equal": "The number is too small.",
    "less_than": "The number is too large.",
    "less_than_equal": "The number is too large.",
    "empty": "The object has no entry where at least one is needed.",
    "too_short": "The list has fewer entries than needed.",
    "too_long": "The list has more entries than allowed.",
    "list_type": "The value must be a list: `[...]`.",
    "tuple_type": "The value must be a list: `[...]`.",
    "dict_type": "The value must be an object: `{...}`.",
    "model_type": "The value must be an object: `{...}`.",
    "model_attributes_type": "The value must be an object: `{...}`.",
    "uuid_parsing": "The value must be an id as the API gives it, e.g. "
    "`019aa3b2-7c4e-7d11-9c5e-2f6a4c3b1d00`.",
    "uuid_type": "The value must be an id as the API gives it.",
    "datetime_from_date_parsing": "The value must be a time as in RFC 3339, e.g. "
    "`2026-11-21T09:30:00Z`.",
    "datetime_parsing": "The value must be a time as in RFC 3339, e.g. `2026-11-21T09:30:00Z`.",
    "value_error": "The fields do not fit together; the sentence says how.",
    "resolved_by_the_gateway": "The field is filled in when the job is accepted: leave it out and "
    "name the data set, model or file.",
    "wrong_reference": "A value that is to come from another job's result is written wrong, or "
    "names a job that this one does not need; the remedy shows how.",
    "missing_value": "The other job's result has no such value; what it has is listed.",
    "unknown_kind": "There is no such kind of job: take one of those listed.",
    "unknown_key": "The workflow has no job of this key: take one of those listed.",
    "cycle": "These jobs need each other in a circle, so that none could ever start: take one of "
    "the needs away.",
    "passed": "A check of an alias's gate that is fulfilled.",
    "failed": "A check of an alias's gate that is not fulfilled; the sentence says what was found.",
    "depends": "It points to the version and would answer nothing without it.",
    "refused": "The row could not be used; the sentence says why (rows, not fields).",
    "duplicate": "The same model is named twice where each must be another: leave one out.",
    "model": "The model that is named cannot be used; the detail says why.",
    "archived": "The model version is archived: restore it, or name another.",
    "unfit": "The models of one endpoint must be different versions that predict the same targets.",
    "no_live_route": "No route answers: give one of them `mode: live`.",
    "weights": "The weights of the live routes must add up to 100.",
    "shadow": "A shadow has no `weight`: say its `sample`.",
    "live": "A live route has no `sample`: say its `weight`.",
    "nothing_to_follow": "One version cannot be followed: leave `pin` out, or name an alias.",
    "pin": "One reference is pinned in one place and followed in another: decide for one.",
    "order": "The steps must grow.",
    "last": "The last step must be 100.",
    "no_shadow": "Disagreement is measured by a shadow of the canary's model: add such a route.",
    "no_history": "Disagreement is measured on stored predictions: set `history`.",
    "no_deadline": "A fallback on timeout needs `deadline_ms`.",
    "share": "`share` goes with `store: sample`, and with nothing else.",
    "nothing_stored": "Nothing is stored, so there is nothing to keep: set `store`.",
}

#: `warnings[].code` of a job: it went on, and says so
WARNING_CODES: dict[str, str] = {
    "rows_without_features": "Some rows could not be described by numbers and were left out of "
    "training. See the job's events; standardise or remove those structures.",
    "trial_failed": "One set of parameters could not be trained; the study went on without it.",
    "reading": "The file was read by an assumption that is named (encoding, separator, decimal "
    "comma, roles): see that it is right, or say otherwise at ingest.",
    "training_rows_evaluated": "The model was evaluated on rows that it had learned from, so the "
    "figures flatter it. Those of its test rows say more.",
    "leak_found": "The leak audit is sure of a leak: the test metrics, or the scores of a "
    "comparison, flatter what they measure. The metrics, or the result, name rows and remedy under "
    '`leaks`; `"leaks": "refuse"` refuses such jobs, `"refuse_all"` those with '
    "a warning of the audit too.",
    "easy_split": "Many test molecules are near copies of molecules that are learned from, so the "
    "test metrics say little about new chemistry. Use the scaffold or butina split.",
    "not_calibrated": "There are too few rows, or no way to hold some out, to measure how wrong "
    "the model is: predictions come without interval and confidence. Give more rows.",
    "weights_ignored": "The data set has a column of weights and the algorithm cannot use them. "
    "Choose one that can (most do), or give the column the role `ignore`.",
    "never_stopped_early": "The algorithm stops when it no longer gets better on rows that it does "
    "not learn from, and there were none: with `calibration: cross`, or without a validation part, "
    "it learns from all rows to its last round or epoch. Use `calibration: split` and a validation "
    "part, or choose the number of rounds.",
    "no_better_than_baseline": "A target of a model, or a candidate of a comparison, is not shown "
    "to be better than what knows only the mean or the most frequent class. Look at the labels, at "
    "the features, and at how few rows there are, before at the algorithm.",
    "no_gpu_worker": "The job asked for a GPU and no worker with one is alive; it waits. Start one "
    'or send `"device": "auto"`.',
}
