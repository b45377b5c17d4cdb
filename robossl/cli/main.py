"""Entry point: finds the verb, runs it, and turns a person's mistakes into one line and an exit code."""

import importlib
import os
import sys
from collections.abc import Sequence

from robossl.core import UnknownNameError, UserError
from robossl.training.interrupt import Interrupted
from robossl.version import VERSION

VERBS = {
    "doctor": "checks cameras, threads and GPU, and says what to change",
    "envs": "lists environments; `envs show ID` draws every camera",
    "collect": "gathers trial-and-error data: episodes on disk",
    "dataset": "`dataset info FOLDER` describes and verifies a dataset",
    "pretrain": "learns an encoder from episodes, without labels",
    "train": "trains an agent; presets may collect and pretrain first",
    "eval": "measures success, return and the task's metrics on unseen worlds",
    "record": "writes videos of a run",
    "export": "writes a policy as a bundle for a robot, and proves that it is the agent",
    "bridge": "runs an exported policy on a robot through ROS topics; dry unless told otherwise",
    "report": "compares finished runs, with bootstrap intervals",
    "bench": "measures speed as ratios, all in one run",
}
_MODULES = {"eval": "evaluate"}
_USAGE_EXIT, _ERROR_EXIT, _INTERRUPT_EXIT = 2, 1, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits: 0 done, 1 error, 2 wrong usage, 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(words)
        sys.stdout.flush()
    except UserError as error:
        print(f"robossl: {' '.join(str(error).split())}", file=sys.stderr)
        code = (
            _USAGE_EXIT if isinstance(error, UnknownNameError) or type(error).__name__ == "UsageError" else _ERROR_EXIT
        )
    except Interrupted as interrupted:
        print(f"robossl: {interrupted}", file=sys.stderr)
        code = interrupted.exit_code
    except UnicodeDecodeError as error:
        print(f"robossl: a file is not the text that it should be: {error}", file=sys.stderr)
        code = _ERROR_EXIT
    except PermissionError as error:
        print(f"robossl: {error.filename}: {error.strerror}", file=sys.stderr)
        code = _ERROR_EXIT
    except KeyboardInterrupt:
        print("robossl: interrupted", file=sys.stderr)
        code = _INTERRUPT_EXIT
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(_help())
        return 0 if words else _USAGE_EXIT
    if words[0] in ("-V", "--version"):
        print(f"robossl {VERSION}")
        return 0
    verb, *rest = words
    if verb not in VERBS:
        raise UnknownNameError("command", verb, VERBS)
    module = importlib.import_module(f"robossl.cli.{_MODULES.get(verb, verb)}")
    return int(module.run(rest) or 0)


def _help() -> str:
    width = max(map(len, VERBS))
    lines = [f"  {verb:<{width}}  {text}" for verb, text in VERBS.items()]
    return "\n".join(["usage: robossl COMMAND [...]", "", *lines, "", "`robossl COMMAND --help` lists its options."])
