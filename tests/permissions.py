"""A folder in which file permissions count, for root too."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path


@contextlib.contextmanager
def unprivileged():
    """Yield a folder of one's own; root acts as a user without rights meanwhile, who may not even import modules."""
    folder = Path(tempfile.mkdtemp())
    root = os.geteuid() == 0
    nobody = 65_534
    if root:
        os.chown(folder, nobody, nobody)
        os.seteuid(nobody)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o700)
        shutil.rmtree(folder)
