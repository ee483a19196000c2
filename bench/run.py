"""`make bench`: every benchmark, one after the other, and one line a figure.

    python -m bench [--leads 100000] [--only board,startup]

A demo is made once and shared by those that need a filled workspace; the others make folders of their own.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from bench.house import ROOT, some_folder

FILLED = ("demo", "board", "startup", "bulk")
OWN = ("captures", "live", "imports")


def run(name: str, *arguments: str) -> bool:
    """Run one benchmark in a process of its own; say whether it went well."""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-m", f"bench.{name}", *arguments], cwd=ROOT, check=False)
    print(f"bench_{name} {time.monotonic() - began:.0f} s{'' if done.returncode == 0 else ' FAILED'}", flush=True)
    return done.returncode == 0


def run_all(folder: Path, names: list[str], leads: int) -> bool:
    """Run the benchmarks named, in their order; a failed one does not keep the others from running."""
    shared = ("--data-dir", str(folder), "--leads", str(leads))
    went_well = [run(name, *(shared if name in FILLED else ())) for name in names]
    return all(went_well)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--leads", type=int, default=100_000, help="leads of the demo")
    parser.add_argument("--only", default=",".join((*FILLED, *OWN)), help="names, separated by commas")
    asked = parser.parse_args()
    names = [name.strip() for name in asked.only.split(",")]
    unknown = [name for name in names if name not in (*FILLED, *OWN)]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join((*FILLED, *OWN))}")
    with some_folder(None) as folder:
        sys.exit(0 if run_all(folder, names, asked.leads) else 1)


if __name__ == "__main__":
    main()
