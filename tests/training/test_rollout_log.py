from types import SimpleNamespace

import numpy as np
import pytest
from stable_baselines3.common.logger import Logger

from robossl.training.cadence import Every
from robossl.training.rollout_log import RolloutLog


class Agent:
    def __init__(self):
        self.perf = {"act": 0.0, "update": 0.0}
        self.env = SimpleNamespace(perf={"simulate": 0.0, "render": 0.0}, num_envs=2, last_step=None)
        self.logger, self.written = Logger(None, []), []

    def get_env(self):
        return self.env

    def dump_logs(self):
        self.written.append(dict(self.logger.name_to_value))
        self.logger.dump()


def step(log, agent, *, right, infos=(), diverged=(False, False)):
    agent.env.perf["simulate"] += 0.010
    agent.env.perf["render"] += 0.030
    agent.perf["act"] += 0.004
    info = {"reward/right": np.array(right), "success": np.array([True, False]), "diverged": np.array(diverged)}
    agent.env.last_step = SimpleNamespace(info=info)
    log.add([*infos])


def test_means_and_speeds_are_those_since_the_last_line():
    agent = Agent()
    log = RolloutLog(agent, Every(4))
    step(log, agent, right=[1.0, 3.0], infos=[{"metric/distance": 5.0, "episode": {}}, {}])
    log.write_if_due(2)
    assert agent.written == []
    step(log, agent, right=[0.0, 0.0], infos=[{"metric/distance": 7.0}], diverged=(True, True))
    agent.perf["update"] += 0.1
    log.write_if_due(4)
    (line,) = agent.written
    assert line == pytest.approx(
        {
            "env/right": 1.0,
            "rollout/distance": 6.0,
            "perf/simulate_ms": 10.0,
            "perf/render_ms": 30.0,
            "perf/act_ms": 4.0,
            "perf/update_ms": 50.0,
            "perf/num_diverged": 2.0,
            "perf/env_fps": 2 * 2 / 0.080,
        }
    )
    step(log, agent, right=[8.0, 8.0])
    log.write_if_due(8)
    assert agent.written[1]["env/right"] == 8.0
    assert "rollout/distance" not in agent.written[1]
    assert agent.written[1]["perf/update_ms"] == 0.0
    assert agent.written[1]["perf/num_diverged"] == 0.0


def test_what_is_not_yet_written_survives_a_checkpoint():
    agent, other = Agent(), Agent()
    log, again = RolloutLog(agent, Every(4)), RolloutLog(other, Every(4))
    step(log, agent, right=[1.0, 3.0])
    agent.logger.record("train/loss", 2.5)
    agent.logger.record("train/n_updates", 3, exclude="tensorboard")
    again.set_state(log.get_state())
    step(again, other, right=[4.0, 4.0])
    assert other.logger.name_to_excluded["train/n_updates"] == ("tensorboard",)
    again.write_if_due(4)
    assert other.written[0]["env/right"] == 3.0
    assert other.written[0]["train/loss"] == 2.5
