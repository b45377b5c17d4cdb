import os

from robossl.core.variables import variables


def test_variables_are_set_meanwhile_and_as_before_afterwards(monkeypatch):
    monkeypatch.setenv("ROBOSSL_KEPT", "before")
    monkeypatch.delenv("ROBOSSL_NEW", raising=False)
    with variables(ROBOSSL_KEPT="now", ROBOSSL_NEW="now"):
        assert (os.environ["ROBOSSL_KEPT"], os.environ["ROBOSSL_NEW"]) == ("now", "now")
    assert os.environ["ROBOSSL_KEPT"] == "before"
    assert "ROBOSSL_NEW" not in os.environ


def test_what_took_a_variable_away_may(monkeypatch):
    monkeypatch.delenv("ROBOSSL_NEW", raising=False)
    with variables(ROBOSSL_NEW="now"):
        del os.environ["ROBOSSL_NEW"]
    assert "ROBOSSL_NEW" not in os.environ
