#!/usr/bin/env python3
# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dispense jobs: GET /job gives one, or 503 while others have all that are left, or 204; POST /done brings a result.

A job that is not reported in time is given again. Results lie in a file, so that a reboot neither loses one nor asks for it twice.
"""

import contextlib
import http.server
import json
import os
import pathlib
import sys
import time

PORT = int(os.environ.get("PORT", "80"))
RESULTS = pathlib.Path(os.environ.get("RESULTS", "/var/lib/jobs/results.jsonl"))
LEASE_SECONDS = float(os.environ.get("LEASE_SECONDS", "600"))
jobs = dict.fromkeys(range(100), 0.0)


def forget_what_is_done() -> None:
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.touch()
    for line in RESULTS.read_text().splitlines():
        # A crash may have cut a line off: its job is done again.
        with contextlib.suppress(ValueError):
            jobs.pop(json.loads(line)["job"], None)


class Jobs(http.server.BaseHTTPRequestHandler):
    def answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        free = next((job for job, until in jobs.items() if until < time.time()), None)
        if free is None:
            self.answer(503 if jobs else 204)
            return
        jobs[free] = time.time() + LEASE_SECONDS
        self.answer(200, json.dumps({"job": free}).encode())

    def do_POST(self) -> None:
        done = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if done["job"] in jobs:
            with RESULTS.open("a") as results:
                results.write(f"\n{json.dumps(done)}")
                results.flush()
                os.fsync(results.fileno())
            del jobs[done["job"]]
        self.answer(200)


try:
    server = http.server.HTTPServer(("", PORT), Jobs)
except OSError:
    sys.exit("the port is taken: jobs are dispensed already")
forget_what_is_done()
# A boot waits for its scripts: the server goes on alone.
if os.fork() == 0:
    os.setsid()
    server.serve_forever()
