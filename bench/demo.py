"""How long `salescycle demo` takes for 100,000 leads with companies, contacts, stage history and events.

    python -m bench.demo [--data-dir FOLDER] [--leads 100000]

The time is that of the whole command, which starts and ends PostgreSQL around it.
"""

import argparse
import subprocess
import time
from pathlib import Path

from bench.house import command, environment, some_folder, told

EMAIL, PASSWORD = "demo@sunfield.example", "eleven quiet boats"
MARK = "bench-demo"


def filled(folder: Path, leads: int) -> float | None:
    """Fill a folder with a demo, unless it was before; return the seconds it took."""
    mark = folder / MARK
    if mark.exists():
        return None
    began = time.perf_counter()
    given = ("--leads", str(leads), "--email", EMAIL, "--password", PASSWORD, "--data-dir", folder)
    subprocess.run(command("demo", *given), env=environment(), check=True, stdout=subprocess.DEVNULL)
    took = time.perf_counter() - began
    mark.write_text(f"{leads}\n")
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--leads", type=int, default=100_000)
    asked = parser.parse_args()
    with some_folder(asked.data_dir) as folder:
        took = filled(folder, asked.leads)
        if took is not None:
            told("demo", took, f"s ({asked.leads} leads)")
            told("demo_rate", asked.leads / took, "leads/s")


if __name__ == "__main__":
    main()
