"""Writes what a bridge's recording shows: a picture, and the same with curves for TensorBoard."""

from pathlib import Path
from typing import Any

import numpy as np

from robossl.core import Bundle
from robossl.core.files import write_atomic
from robossl.deploy.profile import RobotProfile
from robossl.deploy.recording import Recording
from robossl.rehearsal.bridge_log import BridgeLog, read_log
from robossl.rehearsal.bridge_report import draw_report, limit_shares, quantiles_ms
from robossl.training.gif import encode_png
from robossl.training.tensorboard import TensorBoard

FOLDER = "reports"
_MAIN_LEG = "input to command"
_WINDOW_S = 1.0


def write_report(bag: Path, bundle: Bundle, profile: RobotProfile) -> dict[str, Any]:
    """Draws a recording into `reports/<its name>` beside it; returns its figures as JSON values.

    Raises:
        UserError: if it is no recording, or of another bundle or profile.
    """
    recording = Recording(bag)
    recording.require(bundle.digest, profile)
    if recording.lost:
        print(recording.lost)
    log = read_log(recording, profile, period_s=bundle.contract.period_s)
    picture = draw_report(log)
    folder = bag.parent / FOLDER / bag.name
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "report.png", encode_png(picture))
    for old in folder.glob("events.*"):
        old.unlink()
    board = TensorBoard(folder)
    _write_curves(board, log)
    board.add_image("deploy/report", picture, 0)
    board.close()
    return {
        "report": str(folder / "report.png"),
        "tensorboard": str(folder.parent),
        "trips": [trip.text for trip in log.trips],
        "latency": quantiles_ms(log),
        "greatest_share_of_rate_limit": max(limit_shares(log).values(), default=0.0),
    }


def _write_curves(board: TensorBoard, log: BridgeLog) -> None:
    """Writes a value for each second: latencies, how close to their limits commands were, trips so far."""
    share = log.shares().max(axis=1, initial=0.0)
    second = np.floor(log.t_s / _WINDOW_S).astype(int)
    for step in np.unique(second).tolist():
        within = second == step
        values = {
            "deploy/limit_share": float(share[within].max()),
            "deploy/trips": float(sum(trip.t_s < (step + 1) * _WINDOW_S for trip in log.trips)),
        }
        for leg, seconds in log.took_s.items():
            here = seconds[within & np.isfinite(seconds)]
            if len(here):
                name = "latency" if leg == _MAIN_LEG else leg.replace(" ", "_")
                values |= {f"deploy/{name}_p{q}_ms": float(np.percentile(here, q)) * 1e3 for q in (50, 99)}
        board.add_scalars(values, step)
