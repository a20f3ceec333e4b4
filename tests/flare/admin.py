"""An administrator of a deployment: submits a job when all clients are there, aborts it on a line of input.

python admin.py KIT JOB_DIRECTORY CLIENTS          prints the job's id
"""

from __future__ import annotations

import contextlib
import os
import sys
import time

from nvflare.fuel.flare_api.flare_api import new_secure_session


def main() -> None:
    """Run it."""
    kit, job_directory, clients = sys.argv[1:]
    with contextlib.redirect_stdout(sys.stderr):
        while True:
            try:
                session = new_secure_session(os.path.basename(kit), kit, timeout=10.0)
                if len(session.get_system_info().client_info) == int(clients):
                    break
                session.close()
            except Exception as error:  # noqa: BLE001 - whatever it raises before the server is there
                print(repr(error))
            time.sleep(0.3)
        job = session.submit_job(job_directory)
    print(job, flush=True)
    if sys.stdin.readline():
        with contextlib.redirect_stdout(sys.stderr):
            session.abort_job(job)
    os._exit(0)


if __name__ == "__main__":
    main()
