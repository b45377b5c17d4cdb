"""What a recording says of each control period, as JSON values, so that a replay can compare decisions exactly."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from robossl.deploy.bridge import Event, Tick
from robossl.deploy.motion import Fault
from robossl.deploy.trips import Trip

TICK_TOPIC, SESSION_TOPIC, PROPOSED_TOPIC = "/robossl/tick", "/robossl/session", "/robossl/proposed"


def tick_record(
    tick: Tick,
    t_ns: int,
    events: Sequence[Event],
    faults: Sequence[Fault],
    *,
    sent: bool,
    took_s: Mapping[str, float],
) -> dict[str, Any]:
    """Returns one period: what the bridge was told beside messages, what it decided, and how long each leg took."""
    return {
        "t_ns": t_ns,
        "events": [event.value for event in events],
        "faults": [_fault(fault) for fault in faults],
        "late": tick.late,
        "sent": sent,
        "took_s": dict(took_s),
        "decision": decision_record(tick),
    }


def decision_record(tick: Tick) -> dict[str, Any]:
    """Returns what a replay must decide again, to the last bit."""
    return {
        "state": tick.state.value,
        "proposed": _numbers(tick.proposed),
        "wanted": _numbers(tick.wanted),
        "command": _numbers(tick.command),
        "scale": _number(tick.scale),
        "unfamiliarity": _number(tick.unfamiliarity),
        "age_s": _number(tick.age_s),
        "trips": [_fault(record) for record in tick.trips],
        "waiting_for": list(tick.waiting_for),
    }


def read_fault(record: dict[str, Any]) -> Fault:
    """Reads what `tick_record` wrote of a fault."""
    value, limit = (None if record[key] is None else float(record[key]) for key in ("value", "limit"))
    return Fault(trip=Trip(record["trip"]), what=record["what"], value=value, limit=limit)


def _fault(fault: Any) -> dict[str, Any]:
    return {
        "trip": fault.trip.value,
        "what": fault.what,
        "value": _number(fault.value),
        "limit": _number(fault.limit),
    }


def _numbers(values: Any) -> list[float | str | None] | None:
    return None if values is None else [_number(float(value)) for value in values]


def _number(value: float | None) -> float | str | None:
    """Returns a number, as text where JSON has none for it."""
    return value if value is None or np.isfinite(value) else str(value)
