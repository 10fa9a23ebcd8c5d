# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make demo: a hub and two worker regions on the local AWS, from nothing to nothing.

KEEP_SANDBOX=1 leaves the deployment and the local AWS running, and says how to look around.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterable
from collections.abc import Iterator

import leftovers
import local_aws

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLAYBOOK = ROOT / ".venvs/dev/bin/ansible-playbook"
# Both regions have room. They tie on the score, so the price decides.
MARKET = {
    "scores": {"us-west-2": 9, "eu-west-1": 9},
    "prices": {
        "us-west-2": {"*": {"g4dn.xlarge": "0.2105", "g5.xlarge": "0.4012", "g6.xlarge": "0.3207"}},
        "eu-west-1": {"*": {"g4dn.xlarge": "0.2351", "g5.xlarge": "0.4533"}},
    },
}


def say(text: str) -> None:
    print(f"\n=== {text}", flush=True)


def play(name: str, environment: dict[str, str], *arguments: str) -> float:
    """Run one of the collection's playbooks, with only what changes, fails or is displayed shown; the seconds that it took."""
    quiet = {"ANSIBLE_DISPLAY_OK_HOSTS": "false", "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false", "ANSIBLE_NOCOWS": "1"}
    began = time.monotonic()
    with subprocess.Popen(
        [PLAYBOOK, f"ethereal.spot.{name}", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment, **quiet},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        for line in without_inclusions(process.stdout):
            print(line, end="", flush=True)
    if process.returncode:
        raise SystemExit(f"demo: ethereal.spot.{name} failed with exit code {process.returncode}")
    return time.monotonic() - began


def without_inclusions(lines: Iterable[str]) -> Iterator[str]:
    """The lines but for inclusions and for headings that nothing stands under, with one blank line where there were some."""
    heading, blank = "", False
    for line in lines:
        if line.startswith(("TASK [", "PLAY [")):
            heading = line
        elif not line.strip():
            blank = True
        elif not line.startswith("included:"):
            yield "\n" * blank + heading + line
            heading, blank = "", False


def main() -> int:
    keep = os.environ.get("KEEP_SANDBOX") == "1"
    say("Starting the local AWS")
    aws = local_aws.start()
    try:
        aws.control("PUT", "market", MARKET)
        before = leftovers.listing(aws.url)
        environment = local_aws.controller(aws)
        print(f"{aws.url}, IAM enforced; the playbooks run as user controller with docs/policies/")

        say("site: provision hub us-east-1 and workers us-west-2 and eu-west-1, rank them, serve from the best")
        seconds = play("site", environment)
        print(f"site took {seconds:.0f} s")

        say("status: what runs where")
        play("status", environment)

        if keep:
            say(f"The sandbox stays (process {aws.process.pid}). Look around with:")
            print(f'  eval "$(make -s env PORT={aws.port})"')
            print("  ansible-playbook ethereal.spot.status")
            print(f"  curl -s {aws.url}/_sandbox/calls")
            print(f"End it with: kill {aws.process.pid}")
            return 0

        say("teardown: everything, data included")
        play("teardown", environment, "-e", "teardown_data=true")
        left = leftovers.listing(aws.url) - before
        say("Left in the account, listed service by service in every region: " + (", ".join(sorted(left)) or "nothing"))
        return 1 if left else 0
    finally:
        if not keep or sys.exc_info()[0]:
            aws.stop()


if __name__ == "__main__":
    sys.exit(main())
