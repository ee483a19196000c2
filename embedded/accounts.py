"""The user that the servers run as: PostgreSQL refuses root."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedded.errors import StartFailed

SERVICE_USERS = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """An unprivileged user whom root starts the servers as."""

    name: str
    uid: int
    gid: int

    def popen_arguments(self) -> dict[str, Any]:
        return {"user": self.uid, "group": self.gid, "extra_groups": [], "umask": 0o077}

    def can(self, flag: str, path: Path) -> bool:
        """Tell whether this user passes `test FLAG PATH`, access lists and mounts included."""
        check = ["/usr/bin/test", flag, str(path)]
        return subprocess.run(check, cwd="/", check=False, **self.popen_arguments()).returncode == 0


def account_for(folder: Path) -> Account | None:
    """Return whom to start the servers as: None for ourselves, who are not root.

    The owner of what `folder` already holds stays its owner; otherwise the folder's own owner, then a user
    that every Debian has. No user is ever created.
    """
    if os.geteuid() != 0:
        return None
    for owned in (folder / "postgres", folder):
        if owned.exists() and owned.stat().st_uid != 0:
            return _owner(owned)
    for name in SERVICE_USERS:
        try:
            return _account(pwd.getpwnam(name))
        except KeyError:
            continue
    raise StartFailed(
        "PostgreSQL does not run as root and this machine has no user postgres or nobody to run it as; "
        "start Salescycle as an ordinary user."
    )


def _owner(path: Path) -> Account:
    status = path.stat()
    try:
        return _account(pwd.getpwuid(status.st_uid))
    except KeyError:
        return Account(name=str(status.st_uid), uid=status.st_uid, gid=status.st_gid)


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)
