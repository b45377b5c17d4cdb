"""What happens beside learning, in SB3's terms: one callback that watches every step and acts between rollouts."""

from pathlib import Path

from stable_baselines3.common.callbacks import BaseCallback

from robossl.training.evaluations import Evaluations
from robossl.training.interrupt import InterruptWish
from robossl.training.monitor import MonitorFile
from robossl.training.progress import Progress
from robossl.training.rollout_log import RolloutLog
from robossl.training.run_state import RunState


class TrainingCallback(BaseCallback):
    """Logs, evaluates, saves and stops, in this order, whenever a rollout is about to begin.

    That is the one moment at which a checkpoint is exact: before it the agent has learned from the last rollout, and
    nothing of the next one has happened.

    Args:
        state: what is saved.
        monitor: gets every finished episode.
        log: gets every step.
        evaluations: none where None.
        progress: is shown to whoever watches.
        wish: of somebody to stop.
    """

    def __init__(
        self,
        state: RunState,
        *,
        monitor: MonitorFile,
        log: RolloutLog,
        evaluations: Evaluations | None,
        progress: Progress,
        wish: InterruptWish,
    ) -> None:
        super().__init__()
        self._state, self._monitor, self._log = state, monitor, log
        self._evaluations, self._progress, self._wish = evaluations, progress, wish

    def finish(self) -> Path:
        """Logs, evaluates and saves at the end of training, and returns the checkpoint."""
        self._state.begin()  # no rollout has, where the run ends where it was resumed
        step = self.model.num_timesteps
        self._count_untold()
        self._log.write()
        if self._evaluations is None or not self._evaluations.is_new(step):
            return self._state.save(step, best=False)
        return self._state.save(step, best=self._evaluations.run_last(step), anew=True)

    def close(self) -> None:
        """Closes the files."""
        self._monitor.close()

    def _on_rollout_start(self) -> None:
        self._state.begin()
        step = self.model.num_timesteps
        self._count_untold()
        self._log.write_if_due(step)
        improved = self._evaluations is not None and self._evaluations.run_if_due(step)
        due = self._state.is_due(step)
        if improved or due or self._wish.received is not None:
            saved = self._state.save(step, best=improved)
            self._wish.raise_if_received(saved)

    def _count_untold(self) -> None:
        """Counts the episodes before the first of whose success an environment told: they had none."""
        ended, told = self.model.ep_info_buffer, self.model.ep_success_buffer
        if ended and told:
            told.extendleft([False] * (len(ended) - len(told)))

    def _on_step(self) -> bool:
        infos = self.locals["infos"]
        self._monitor.add(infos)
        self._log.add(infos)
        returns = self.model.ep_info_buffer
        if returns:
            self._progress.show(reward=sum(episode["r"] for episode in returns) / len(returns))
        self._progress.to(self.model.num_timesteps)
        return True
