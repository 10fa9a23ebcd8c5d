#!/usr/bin/env python3
# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dispense jobs: GET /job takes one or answers 204, POST /done reports it. A job that is not reported in time is given again."""

import http.server
import json
import os
import time

PORT = int(os.environ.get("PORT", "80"))
LEASE_SECONDS = 600
jobs = {str(number): {"job": number, "until": 0.0} for number in range(100)}


class Jobs(http.server.BaseHTTPRequestHandler):
    def answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        free = next((job for job in jobs.values() if job["until"] < time.time()), None)
        if free is None:
            self.answer(204)
            return
        free["until"] = time.time() + LEASE_SECONDS
        self.answer(200, json.dumps({"job": free["job"]}).encode())

    def do_POST(self) -> None:
        done = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        jobs.pop(str(done["job"]), None)
        self.answer(200)


# A boot waits for its scripts: the server goes on alone.
if os.fork() == 0:
    os.setsid()
    http.server.HTTPServer(("", PORT), Jobs).serve_forever()
