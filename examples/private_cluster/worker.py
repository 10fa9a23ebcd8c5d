#!/usr/bin/env python3
# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch jobs from the master, run and report them, until none is left; an interrupted worker's job is given to another."""

import json
import os
import time
import urllib.request

MASTER = os.environ.get("MASTER", "http://10.80.0.10")
WAIT_SECONDS = float(os.environ.get("WAIT_SECONDS", "15"))


def work() -> None:
    while True:
        try:
            with urllib.request.urlopen(f"{MASTER}/job", timeout=30) as answer:
                if answer.status == 204:
                    return
                job = json.load(answer)["job"]
            # The job itself goes here.
            result = job * job
            body = json.dumps({"job": job, "result": result}).encode()
            urllib.request.urlopen(f"{MASTER}/done", data=body, timeout=30).close()
        except OSError:
            # The master may boot later than its workers, and others may have all jobs that are left.
            time.sleep(WAIT_SECONDS)


# A boot waits for its scripts: the work goes on alone.
if os.fork() == 0:
    os.setsid()
    work()
