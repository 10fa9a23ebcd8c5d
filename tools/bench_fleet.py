# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make bench-fleet: what one encrypted fleet costs to create, to find unchanged and to delete, on the local AWS.

Usage: bench_fleet.py [--repeat N]. Prints a table and writes .cache/bench-fleet.json. YARDSTICK names a folder with `run.sh` and
`fleet/`: the same fleet in Terraform, whose steps take turns with ours. Terraform's own set-up (init) does not count.
"""

from __future__ import annotations

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from typing import Any

import bench
import local_aws

ROOT = bench.ROOT
FOLDER = ROOT / "tools/bench_fleet"
RESULT = ROOT / ".cache/bench-fleet.json"
LOG = ROOT / ".cache/bench-fleet.log"
STEPS = ("create", "noop", "destroy")
# Ours divided by Terraform's, in CPU, for each step.
MUST = 0.2
GOAL = 0.12


def measured(
    aws: local_aws.Sandbox, command: list[str], folder: pathlib.Path, environment: dict[str, str]
) -> bench.Cost:
    """What a command cost, with the calls that it made by itself and through CloudFormation."""
    known = len(aws.control("GET", "calls"))
    with LOG.open("a") as log:
        cost = bench.measured(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    if cost.pop("code"):
        raise SystemExit(f"bench-fleet: {' '.join(command)} failed, see {LOG}")
    return {**cost, **bench.calls_since(aws, known)}


class Ours:
    """The playbook, given what a user knows of the account: image, subnets and security group."""

    def __init__(self, aws: local_aws.Sandbox) -> None:
        import boto3

        keys = {"aws_access_key_id": local_aws.ROOT_KEY, "aws_secret_access_key": local_aws.ROOT_KEY}
        ec2 = boto3.client("ec2", region_name="us-west-2", endpoint_url=aws.url, **keys)
        groups = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["default"]}])["SecurityGroups"]
        self.variables = {
            "fleet_image_id": ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"],
            "fleet_subnet_ids": sorted(subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"])[:2],
            "fleet_security_group_ids": [groups[0]["GroupId"]],
        }
        self.aws = aws
        self.environment = {**os.environ, **local_aws.environment(aws.port)}

    def run(self, step: str) -> bench.Cost:
        said = LOG.stat().st_size
        variables = {**self.variables, "fleet_state": "absent" if step == "destroy" else "present"}
        command = [str(bench.PLAYBOOK), "-i", "localhost,", "-e", json.dumps(variables), str(FOLDER / "fleet.yml")]
        python = ["-e", f"ansible_python_interpreter={bench.PLAYBOOK.parent / 'python'}"]
        cost = measured(self.aws, [*command, *python], ROOT, self.environment)
        if step == "noop" and b"changed=0" not in LOG.read_bytes()[said:]:
            raise SystemExit(f"bench-fleet: our second run changed something, see {LOG}")
        return cost


class Terraform:
    """The yardstick, with its state in a folder of ours."""

    def __init__(self, aws: local_aws.Sandbox, folder: pathlib.Path, scratch: pathlib.Path) -> None:
        self.aws = aws
        self.state = scratch / "fleet"
        self.environment = bench.yardstick_environment(self.state)
        measured(aws, [str(folder / "run.sh"), "fleet", aws.url, "plan"], folder, self.environment)
        settings = self.state / "terraformrc"
        if settings.is_file():
            self.environment["TF_CLI_CONFIG_FILE"] = str(settings)

    def run(self, step: str) -> bench.Cost:
        said = LOG.stat().st_size
        verb = "destroy" if step == "destroy" else "apply"
        command = ["terraform", verb, "-auto-approve", "-no-color", "-input=false"]
        cost = measured(self.aws, command, self.state, self.environment)
        if step == "noop" and b"No changes." not in LOG.read_bytes()[said:]:
            raise SystemExit(f"bench-fleet: Terraform's second run changed something, see {LOG}")
        return cost


def compare(repeat: int, yardstick: str | None) -> dict[str, dict[str, list[bench.Cost]]]:
    """Every step of both, in turn, on one local AWS."""
    with local_aws.running() as aws, tempfile.TemporaryDirectory() as scratch:
        bodies: dict[str, Any] = {"ours": Ours(aws)}
        if yardstick:
            bodies = {"Terraform": Terraform(aws, pathlib.Path(yardstick), pathlib.Path(scratch)), **bodies}
        found: dict[str, dict[str, list[bench.Cost]]] = {name: {step: [] for step in STEPS} for name in bodies}
        for _turn in range(repeat):
            for name, body in bodies.items():
                for step in STEPS:
                    found[name][step].append(body.run(step))
    return found


def show(found: dict[str, dict[str, list[bench.Cost]]]) -> bool:
    """Print the table; whether every ratio holds."""
    print(bench.head())
    holds = True
    for step in STEPS:
        for name, costs in found.items():
            print(bench.row(f"{name}, {step}, n={len(costs[step])}", costs[step]))
        if "Terraform" in found:
            cpu = {name: statistics.median(cost["cpu"] for cost in costs[step]) for name, costs in found.items()}
            ratio = cpu["ours"] / cpu["Terraform"]
            verdict = bench.judged(ratio, MUST, GOAL)
            holds = holds and ratio <= MUST
            print(f"  {step}, ours / Terraform's, CPU: {ratio:.3f}   (must {MUST}, goal {GOAL}: {verdict})")
    return holds


def main() -> int:
    repeat = bench.begin("Measure one fleet by ethereal.spot.spot_asg on the local AWS.", "turns", LOG)
    found = compare(repeat, os.environ.get("YARDSTICK"))
    RESULT.write_text(json.dumps(found, indent=2) + "\n")
    return 0 if show(found) else 1


if __name__ == "__main__":
    sys.exit(main())
