"""Entry point: finds the verb, runs it, and turns a person's mistakes into one line and an exit code.

All that takes time to import is imported while Ctrl-C is being listened to.
"""

import importlib
import signal
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from types import FrameType

from robossl.cli.graphics_choice import told_of_choice
from robossl.deploy.streams import exit_code, outlast_readers
from robossl.version import VERSION

VERBS = {
    "doctor": "checks cameras, threads, idle cores and GPU, and says what to change",
    "envs": "lists environments; `envs show ID` draws every camera",
    "collect": "gathers trial-and-error data: episodes on disk",
    "dataset": "info: what a dataset holds, verified; render: other pictures of its states; from-bag: from recordings",
    "pretrain": "learns an encoder from episodes, without labels",
    "train": "trains an agent; presets may collect and pretrain first",
    "eval": "measures success, return and the task's metrics on unseen worlds",
    "record": "writes videos of a run",
    "export": "writes a policy as a bundle for a robot, and proves that it is the agent",
    "bridge": "runs an exported policy on a robot through ROS topics; dry unless told otherwise",
    "sim-robot": "a simulated robot behind the topics of a real one, to rehearse the bridge with",
    "report": "compares finished runs, with intervals over seeds",
    "bench": "measures speed as ratios, all in one run",
}
_MODULES = {"eval": "evaluate", "sim-robot": "sim_robot"}
_LONG_WORK = ("collect", "dataset", "pretrain", "train", "eval", "record")  # `bench` sees to it part by part
_USAGE_EXIT, _ERROR_EXIT, _INTERRUPT_EXIT = 2, 1, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits: 0 done, 1 error, 2 wrong usage, 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    output = outlast_readers()
    try:
        code = exit_code(_run(words), output)
    except (Exception, KeyboardInterrupt) as error:
        told = _told(error)
        if told is None:
            raise
        text, code = told
        print(f"robossl: {' '.join(text.split())}", file=sys.stderr)
    if arguments is None:
        signal.signal(signal.SIGINT, _once)  # all is done and said: a late Ctrl-C changes nothing
    sys.exit(code)


def _once(number: int, frame: FrameType | None) -> None:
    """Passes over one Ctrl-C; another one ends the process, should a thread keep it."""
    signal.signal(number, signal.SIG_DFL)


def _told(error: BaseException) -> tuple[str, int] | None:
    """Returns what a person is told of an error, and the exit code; None for bugs, which show where they are."""
    if _is_interrupt(error):
        return "interrupted", _INTERRUPT_EXIT
    from robossl.core import UsageError, UserError
    from robossl.core.packages import how_to_install
    from robossl.training.interrupt import Interrupted

    if isinstance(error, UserError):
        return str(error), _USAGE_EXIT if isinstance(error, UsageError) else _ERROR_EXIT
    if isinstance(error, Interrupted):
        return str(error), error.exit_code
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("robossl"):
        how = how_to_install(error.name) or "`robossl doctor` checks its own"
        return f"needs the module {error.name!r}, which is not installed; {how}", _ERROR_EXIT
    if isinstance(error, MemoryError):
        return f"there is too little memory{': ' if str(error) else ''}{error}", _ERROR_EXIT
    if choice := told_of_choice(error):
        return choice, _ERROR_EXIT
    if isinstance(error, UnicodeDecodeError):
        return f"a file is not the text that it should be: {error}", _ERROR_EXIT
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}", _ERROR_EXIT
    return None


def _is_interrupt(error: BaseException | None) -> bool:
    """Tells whether this is Ctrl-C, or what compiled code made of it that was being imported."""
    while isinstance(error, ImportError | SystemError):
        error = error.__cause__ or error.__context__
    return isinstance(error, KeyboardInterrupt)


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(_help())
        return 0 if words else _USAGE_EXIT
    if words[0] in ("-V", "--version"):
        print(f"robossl {VERSION}")
        return 0
    from robossl.core import UnknownNameError
    from robossl.core.idle_cores import awake_cores
    from robossl.core.processor import let_idle_threads_sleep

    verb, *rest = words
    if verb not in VERBS:
        raise UnknownNameError("command", verb, VERBS)
    let_idle_threads_sleep()
    is_long = verb in _LONG_WORK and not {"-h", "--help"}.intersection(rest)
    with awake_cores() if is_long else nullcontext():
        module = importlib.import_module(f"robossl.cli.{_MODULES.get(verb, verb)}")
        try:
            return int(module.run(rest) or 0)
        except SystemExit as stop:  # as `--help` ends
            if stop.code not in (0, None):
                raise
            return 0


def _help() -> str:
    width = max(map(len, VERBS))
    lines = [f"  {verb:<{width}}  {text}" for verb, text in VERBS.items()]
    return "\n".join(
        [
            "usage: robossl COMMAND [...]",
            "",
            "A workbench for robots that learn from their own experience. Begin with `robossl train quickstart`.",
            "",
            *lines,
            "",
            "`robossl COMMAND --help` lists the options of one; `robossl --version` tells the version.",
        ]
    )
