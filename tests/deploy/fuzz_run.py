"""A million messages for each codec and the guard behind it; prints what was seen. Run by `make fuzz`.

The run is made of blocks, each with random numbers of its own from (seed, codec, robot, block). Finished blocks are
written down beside a digest of the sources, so that an interrupted run goes on where it was.
"""

import argparse
import hashlib
import json
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fuzz_codecs import CODECS
from guard_fuzz import Figures, fuzz_block

ROOT = Path(__file__).parents[2]
BLOCK = 50_000
MOST_MIB = 256
"""Of memory beyond what the first blocks took; the greatest message is far smaller."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Throws hostile messages at every codec and the guard behind it.")
    parser.add_argument(
        "--messages", type=int, default=1_000_000, help="for each codec; half to an arm, half to a base"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--codec", choices=CODECS, action="append", help="only this one")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "fuzz", help="of what was finished")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    done = options.folder / f"seed{options.seed}-{digest()}.jsonl"
    finished = read_finished(done)
    for codec in options.codec or CODECS:
        total = Figures()
        for block in range(options.messages // BLOCK):
            name = f"{codec}/{block}"
            if name not in finished:
                finished[name] = run_block(options.seed, codec, block)
                with done.open("a") as out:
                    out.write(json.dumps({"block": name, **finished[name].as_json()}) + "\n")
            total += finished[name]
            say(f"\r{codec}: {total.messages:,} messages, {total.commands:,} commands checked", end="")
        say(f"\n{total.told()}")
    say(f"greatest memory of this process: {memory_mib():.0f} MiB")


def run_block(seed: int, codec: str, block: int) -> Figures:
    """Runs a block, half of it with an arm, half with a base, and checks that memory does not grow."""
    begun, before = time.monotonic(), memory_mib()
    figures = Figures()
    for arm in (True, False):
        figures += fuzz_block((seed, list(CODECS).index(codec), arm, block), codec, BLOCK // 2, arm=arm)
    assert memory_mib() - before < MOST_MIB, f"{codec}, block {block}: {memory_mib():.0f} MiB after {before:.0f} MiB"
    figures.seconds = time.monotonic() - begun
    return figures


def memory_mib() -> float:
    """Returns the most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def read_finished(path: Path) -> dict[str, Figures]:
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {line.pop("block"): Figures.from_json(line) for line in lines}


def digest() -> str:
    """Returns a digest of what is tested and of what tests it."""
    found = hashlib.sha256()
    for folder in ("robossl/core", "robossl/deploy", "tests/deploy"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            found.update(path.read_bytes())
    return found.hexdigest()[:12]


def say(text: str, end: str = "\n") -> None:
    print(text, end=end, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
