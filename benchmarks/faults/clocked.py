"""`python -m benchmarks.faults.clocked MINUTES`: all verbs, as `goldloop run --json`, with a clock that is set back."""

import json
import os
import sys
from datetime import timedelta

from goldloop import settings
from goldloop.bootstrap import VERBS, Goldloop, Run, utc_now
from goldloop.errors import GoldloopError


def main(minutes: float) -> None:
    """Run them; exit codes are those of the command line."""
    try:
        with Goldloop(settings.load(), clock=lambda: utc_now() - timedelta(minutes=minutes)) as goldloop:
            made = {verb: summary.model_dump(mode="json") for verb, summary in goldloop.run(VERBS, None, Run())}
    except GoldloopError as error:
        sys.stderr.write(f"goldloop: {error}\n")
        os._exit(error.exit_code)
    sys.stdout.write(json.dumps(made))


if __name__ == "__main__":
    main(float(sys.argv[1]))
