"""Node.js and the peers that run on it, installed through npm into the cache, once."""

import shutil
import subprocess
from pathlib import Path

from bench.peers.ground import CACHE, HERE

SOURCE = HERE / "node"
TARGET = CACHE / "node"
LOCK = "package-lock.json"
INSTALL = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


def installed() -> Path:
    """Return the folder with the peers' programs; raises SystemExit where npm is missing or fails."""
    TARGET.mkdir(parents=True, exist_ok=True)
    known = TARGET / "installed-lock.json"
    wanted = (SOURCE / LOCK).read_text()
    for path in SOURCE.iterdir():
        if path.is_file():
            shutil.copy(path, TARGET)
    if not known.exists() or known.read_text() != wanted:
        known.unlink(missing_ok=True)
        _install()
        known.write_text(wanted)
    return TARGET


def node() -> Path:
    """Return the Node.js of the lock file, whatever the machine has."""
    found = sorted(TARGET.glob("node_modules/node-linux-*/bin/node"))
    if not found:
        raise SystemExit("npm installed no Node.js for this kind of machine.")
    return found[0]


def _install() -> None:
    try:
        subprocess.run(INSTALL, cwd=TARGET, check=True)
    except FileNotFoundError as error:
        raise SystemExit("The Node peers need npm; measure the others with --peers.") from error
    except subprocess.CalledProcessError as error:
        raise SystemExit("npm could not install the Node peers.") from error
