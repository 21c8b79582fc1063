"""What `retort evaluate` prints of the noise ceiling."""

from retort.cli.measured import show_evaluation


def evaluation(**more):
    rows = {"total": 3, "evaluated": 3, "refused": 0, "reasons": {}}
    figures = {"y": {"rmse": {"value": 0.5, "ci_low": None, "ci_high": None}}}
    return {
        "model_ref": "m:1",
        "dataset": "d:1",
        "part": "all",
        "rows": rows,
        "metrics": figures,
        "baseline": figures,
        "targets": {"y": {"residuals": {}}},
        "feature_importance": {"method": "none", "targets": {}},
        **more,
    }


def test_the_ceiling_stands_below_the_metrics(capsys):
    best = {"rmse": {"value": 0.31, "ci_low": 0.3, "ci_high": 0.33}}
    show_evaluation(evaluation(noise_ceiling={"y": {"ceiling": best, "note": None}}))
    assert "y: noise ceiling rmse 0.310 [0.300, 0.330]" in capsys.readouterr().out
    few = {"ceiling": None, "note": "2 differences between replicates are too few"}
    show_evaluation(evaluation(noise_ceiling={"y": few}))
    assert "y: noise ceiling not known: 2 differences" in capsys.readouterr().out


def test_a_server_of_the_release_before_says_nothing_of_it(capsys):
    show_evaluation(evaluation())
    assert "ceiling" not in capsys.readouterr().out
