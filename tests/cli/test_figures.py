import pytest

from robossl.cli.figures import evaluation_units, print_figures, print_summary

FIGURES = {
    "success_rate": 0.5,
    "success_rate_ci": [0.25, 0.75],
    "episodes": 64,
    "return_mean": 3.0,
    "random": {"return_mean": 1.0},
    "seconds": 61.0,
}


@pytest.mark.parametrize("lost", [{}, {"num_diverged": 5}])
def test_a_person_is_told_of_episodes_that_went_astray(
    lost: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    print_figures(FIGURES | lost, as_json=False)
    lines = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line]
    assert lines == ["success", *(["astray"] if lost else []), "return", "time"]


def test_nothing_is_said_of_success_where_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    print_figures({name: value for name, value in FIGURES.items() if "success" not in name}, as_json=False)
    assert "success" not in capsys.readouterr().out


def test_figures_have_their_units_where_they_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    figures = {"length_mean": 50.0, "distance_mean": 0.008996, "distance_mean_ci": [0.008, 0.01], "growth": 0.005}
    print_summary(figures, as_json=False, units={**evaluation_units("robossl/ArmPush-v0"), "growth": "%"})
    assert [line.split(maxsplit=1)[1] for line in capsys.readouterr().out.splitlines()] == [
        "50 steps",
        "0.008996 m   95 % [0.008, 0.01]",
        "0.5 %",
    ]
    print_summary(figures, as_json=False, units=evaluation_units("Reacher-v5"))
    assert "0.008996   95 %" in capsys.readouterr().out
