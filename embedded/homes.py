"""Where the servers' files lie: in the data folder, or where their user can reach them."""

import hashlib
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from embedded.accounts import Account, account_for
from embedded.errors import StartFailed
from embedded.programs import SHARED_HOME, make_shared_home

LONGEST_SOCKET_PATH = 107
LONGEST_SOCKET_NAME = ".s.PGSQL.5432.lock"
PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+-]+")
POINTER = "servers-are-in"


@dataclass(frozen=True)
class Home:
    """The folder of the servers' files, and whom they run as (None: as ourselves)."""

    folder: Path
    account: Account | None

    def subfolder(self, name: str) -> Path:
        """Return a folder that only the servers' user may enter."""
        path = self.folder / name
        path.mkdir(mode=0o700, exist_ok=True)
        self.give(path)
        return path

    def give(self, path: Path) -> None:
        """Let the servers' user own a path."""
        if self.account and path.stat().st_uid != self.account.uid:
            os.chown(path, self.account.uid, self.account.gid)

    def sockets(self) -> Path:
        """Return the folder for sockets, elsewhere if the home's path is too long for one.

        Also where it has spaces or commas, which not every client reads in an address.
        """
        longest = self.folder / "run" / LONGEST_SOCKET_NAME
        if len(os.fsencode(longest)) <= LONGEST_SOCKET_PATH and PLAIN_PATH.fullmatch(str(longest)):
            return self.subfolder("run")
        uid = self.account.uid if self.account else os.geteuid()
        name = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]
        path = Path("/tmp") / f"salescycle-{uid}-{name}"  # noqa: S108
        path.mkdir(mode=0o700, exist_ok=True)
        if path.is_symlink() or path.stat().st_uid not in (uid, os.geteuid()):
            raise StartFailed(f"The folder {path}, needed for sockets, belongs to somebody else; remove it.")
        path.chmod(0o700)
        self.give(path)
        return path


def home_for(data_dir: Path) -> Home:
    """Return the home of a data folder's servers, making it when root needs one outside a private folder."""
    pointer = data_dir / POINTER
    folder = Path(pointer.read_text().strip()) if pointer.exists() else data_dir
    account = account_for(folder)
    if account is None or account.can("-x", folder):
        return Home(folder, account)
    if (folder / "postgres").exists():
        raise StartFailed(
            f"The user {account.name}, who owns the database in {folder / 'postgres'}, cannot reach it; "
            "move the data folder to a place that this user may enter."
        )
    folder = _shared_folder()
    pointer.write_text(f"{folder}\n")
    return Home(folder, account)


def _shared_folder() -> Path:
    folder = SHARED_HOME / f"data-{secrets.token_hex(8)}"
    try:
        make_shared_home()
        folder.mkdir(mode=0o711)
        folder.chmod(0o711)
    except OSError as error:
        raise StartFailed(
            f"PostgreSQL does not run as root, its user cannot reach this data folder, and {folder} "
            f"cannot be made: {error.strerror}; start Salescycle as an ordinary user."
        ) from error
    return folder
