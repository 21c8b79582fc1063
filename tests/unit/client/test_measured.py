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


def test_of_several_targets_the_mean_stands_below_with_its_interval(capsys):
    one = {"rmse": {"value": 0.5, "ci_low": None, "ci_high": None}}
    mean = {
        "rmse": {"value": 0.6, "ci_low": 0.55, "ci_high": 0.65},
        "mse": {"value": None, "ci_low": None, "ci_high": None},
    }
    found = evaluation(mean=mean, baseline_mean={"rmse": {"value": 2.0}})
    show_evaluation(found | {"metrics": {"y": one, "z": one}})
    line = next(text for text in capsys.readouterr().out.splitlines() if "mean of 2" in text)
    assert line.split() == ["mean", "of", "2", "rmse", "0.600", "[0.550,", "0.650]", "2.000"]
    show_evaluation(found)
    assert "mean of" not in capsys.readouterr().out


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
