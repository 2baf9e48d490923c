"""What gunicorn serves, from the repository's root: see `gunicorn_config`."""

import gc
import logging
import sys
import time
from typing import Final

from goldloop.errors import GoldloopError
from goldloop.settings import load
from ml_backend.server import create_app

GIVE_UP: Final = 4
"""gunicorn ends on this exit code of a worker; after any other it starts the worker anew, forever."""

logging.Formatter.converter = time.gmtime
logging.basicConfig(stream=sys.stderr, format="%(asctime)sZ %(levelname)s %(name)s: %(message)s")
logging.getLogger("ml_backend").setLevel(logging.INFO)

try:
    app = create_app(load())
except GoldloopError as error:
    sys.stderr.write(f"{error}\n")
    sys.exit(GIVE_UP)
gc.freeze()  # what was made by now stays: no request waits while it is looked through
