# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make bench: what one run of ethereal.spot.site costs on the local AWS, with a hub and three workers.

Usage: bench.py [--repeat N]. Prints tables and writes .cache/bench.json. CPU is user and system time of the playbook's process tree,
without the local AWS; RSS is that of the largest process. On a busy machine CPU and calls say more than wall time.

YARDSTICK names a folder with `run.sh` and `stack/`: a deployment of about the same size in Terraform. `run.sh stack URL create` makes
it beside ours, then Terraform's unchanged run takes turns with ours.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

import local_aws

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOLS = ROOT / "tools"
PLAYBOOK = ROOT / ".venvs/dev/bin/ansible-playbook"
RESULT = ROOT / ".cache/bench.json"
LOG = ROOT / ".cache/bench.log"
REGIONS = ("us-east-1", "us-east-2", "us-west-2", "eu-west-1")
MARKET = {
    "scores": {"us-east-2": 7, "us-west-2": 9, "eu-west-1": 9},
    "prices": {
        "us-east-2": {"*": {"g4dn.xlarge": "0.1900", "g5.xlarge": "0.3804", "g6.xlarge": "0.3102"}},
        "us-west-2": {"*": {"g4dn.xlarge": "0.2105", "g5.xlarge": "0.4012", "g6.xlarge": "0.3207"}},
        "eu-west-1": {"*": {"g4dn.xlarge": "0.2351", "g5.xlarge": "0.4533"}},
    },
}
# Ours divided by Terraform's, for an unchanged run, in CPU and in wall time.
MUST = 0.35
GOAL = 0.15

Cost = dict[str, Any]


def measured(command: list[str], **options: Any) -> Cost:
    """Run a command to its end: exit code, CPU and wall seconds of its process tree, RSS of its largest process in MiB."""
    began = time.monotonic()
    process = subprocess.Popen(command, **options)
    _pid, status, usage = os.wait4(process.pid, 0)
    # Popen must not wait again for a process that is gone.
    process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "code": process.returncode,
        "cpu": usage.ru_utime + usage.ru_stime,
        "wall": time.monotonic() - began,
        "rss": usage.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024),
    }


def calls_since(aws: local_aws.Sandbox, known: int) -> Cost:
    """Clients' own calls, and those that CloudFormation made for them. What the local AWS does by itself belongs to nobody."""
    made = collections.Counter(call["via"] for call in aws.control("GET", "calls")[known:])
    return {"calls": made[None], "calls_cloudformation": made["cloudformation"]}


class Ours:
    """The playbook on the local AWS."""

    def __init__(self, aws: local_aws.Sandbox) -> None:
        self.aws = aws
        self.environment = local_aws.controller(aws)

    def run(self) -> Cost:
        """One run of site: its cost, its module runs in the order in which they ended, what it changed."""
        known = len(self.aws.control("GET", "calls"))
        with tempfile.TemporaryDirectory() as folder:
            lines = pathlib.Path(folder) / "runs"
            environment = {
                **os.environ,
                **self.environment,
                "ANSIBLE_CALLBACK_PLUGINS": str(TOOLS / "bench_callback"),
                "BENCH_RUNS": str(lines),
            }
            with LOG.open("a") as log:
                cost = measured(
                    [str(PLAYBOOK), "-i", str(TOOLS / "bench_inventory.yml"), "ethereal.spot.site"],
                    cwd=ROOT,
                    env=environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            if cost.pop("code"):
                raise SystemExit(f"bench: site failed, see {LOG}")
            *written, end = map(json.loads, lines.read_text().splitlines())
        executed = [line for line in written if "action" in line]
        modules = [run for run in executed if run["module"]]
        return {
            **cost,
            **calls_since(self.aws, known),
            "modules": len(modules),
            "processes": sum(run["process"] for run in modules),
            "actions": len(executed) - len(modules),
            "changed": sum(end["changed"].values()),
            "runs": modules,
            "hosts": {
                host: {
                    "cpu": sum(line["cpu"] for line in written if "cpu" in line and line["host"] == host),
                    "modules": sum(run["host"] == host for run in modules),
                    "tasks": sum("cpu" in line and line["host"] == host for line in written),
                }
                for host in REGIONS
            },
        }

    def inventory(self) -> dict[str, int]:
        """What the deployment consists of: resources of its stacks, and what stands beside them."""
        import boto3

        keys = {"aws_access_key_id": local_aws.ROOT_KEY, "aws_secret_access_key": local_aws.ROOT_KEY}
        made = collections.Counter()
        for region in REGIONS:
            stacks, groups, templates = (
                boto3.client(service, region_name=region, endpoint_url=self.aws.url, **keys)
                for service in ("cloudformation", "autoscaling", "ec2")
            )
            for stack in stacks.describe_stacks()["Stacks"]:
                pages = stacks.get_paginator("list_stack_resources").paginate(StackName=stack["StackName"])
                made["stacks"] += 1
                made["stack resources"] += sum(len(page["StackResourceSummaries"]) for page in pages)
            made["groups"] += len(groups.describe_auto_scaling_groups()["AutoScalingGroups"])
            made["launch templates"] += len(templates.describe_launch_templates()["LaunchTemplates"])
        made["resources"] = made["stack resources"] + made["groups"] + made["launch templates"]
        return dict(made)


class Terraform:
    """The yardstick, with its state in a folder of ours."""

    def __init__(self, aws: local_aws.Sandbox, folder: pathlib.Path, scratch: pathlib.Path) -> None:
        self.aws = aws
        self.folder = folder
        self.state = scratch / "stack"
        if not shutil.which("terraform") or not (folder / "run.sh").is_file() or not (folder / "stack").is_dir():
            raise SystemExit(f"bench: YARDSTICK={folder} needs run.sh and stack/ there, and terraform on the path")
        self.environment = yardstick_environment(self.state)

    def create(self) -> Cost:
        """The first run, with Terraform's own set-up."""
        return self._run([str(self.folder / "run.sh"), "stack", self.aws.url, "create"], self.folder)

    def noop(self) -> Cost:
        """An unchanged run: what `run.sh stack URL noop` ends with. Before that it packs the functions anew, with new times, and seven
        of them change."""
        settings = self.state / "terraformrc"
        if settings.is_file():
            self.environment["TF_CLI_CONFIG_FILE"] = str(settings)
        cost = self._run(["terraform", "apply", "-auto-approve", "-no-color", "-input=false"], self.state)
        if cost["changed"]:
            raise SystemExit(f"bench: Terraform's unchanged run changed {cost['changed']} resources, see {LOG}")
        return cost

    def _run(self, command: list[str], folder: pathlib.Path) -> Cost:
        known, said = len(self.aws.control("GET", "calls")), LOG.stat().st_size
        with LOG.open("a") as log:
            cost = measured(command, cwd=folder, env=self.environment, stdout=log, stderr=subprocess.STDOUT)
        result = re.search(rb"Resources: (\d+) added, (\d+) changed, (\d+) destroyed", LOG.read_bytes()[said:])
        if cost.pop("code") or result is None:
            raise SystemExit(f"bench: {' '.join(command)} failed, see {LOG}")
        return {**cost, "calls": calls_since(self.aws, known)["calls"], "changed": sum(map(int, result.groups()))}


def compare(repeat: int, yardstick: str | None) -> Cost:
    """First runs, then unchanged runs in turn."""
    with contextlib.ExitStack() as stack:
        aws = stack.enter_context(local_aws.running())
        scratch = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        aws.control("PUT", "market", MARKET)
        ours = Ours(aws)
        terraform = Terraform(aws, pathlib.Path(yardstick), scratch) if yardstick else None
        found = {"first": ours.run(), "inventory": ours.inventory(), "second": []}
        show_first(found)
        if terraform:
            found["terraform"] = {"create": terraform.create(), "noop": []}
        for _turn in range(repeat):
            if terraform:
                found["terraform"]["noop"].append(terraform.noop())
            again = ours.run()
            if again["changed"]:
                raise SystemExit(f"bench: the second run changed {again['changed']} things, see {LOG}")
            found["second"].append(again)
    return found


COLUMNS = (
    ("CPU s", "cpu", "{:.2f}"),
    ("wall s", "wall", "{:.1f}"),
    ("RSS MiB", "rss", "{:.0f}"),
    ("calls", "calls", "{:.0f}"),
    ("+ by CFN", "calls_cloudformation", "{:.0f}"),
    ("modules", "modules", "{:.0f}"),
    ("processes", "processes", "{:.0f}"),
    ("actions", "actions", "{:.0f}"),
)
WIDTHS = {"cpu": 22, "wall": 22, "rss": 16, "calls": 16}


def row(name: str, costs: list[Cost]) -> str:
    cells = [name.ljust(28)]
    for _title, key, form in COLUMNS:
        values = [cost[key] for cost in costs if key in cost]
        shown = sorted({form.format(value) for value in (min(values), max(values))}, key=float) if values else []
        text = form.format(statistics.median(values)) if values else "-"
        cells.append((f"{text} ({'-'.join(shown)})" if len(shown) > 1 else text).rjust(WIDTHS.get(key, 12)))
    return "".join(cells)


def head() -> str:
    return " " * 28 + "".join(title.rjust(WIDTHS.get(key, 12)) for title, key, _form in COLUMNS)


def show_first(found: Cost) -> None:
    first, inventory = found["first"], found["inventory"]
    print(
        f"\nA hub and {len(REGIONS) - 1} workers: "
        + ", ".join(f"{number} {name}" for name, number in inventory.items())
    )
    print(f"\n{head()}\n{row('site, first run', [first])}")
    number = inventory["resources"]
    calls = (first["calls"] + first["calls_cloudformation"]) / number
    print(
        f"  a resource: {first['cpu'] / number:.3f} CPU s, {first['wall'] / number:.2f} s, {first['calls'] / number:.1f} calls "
        f"of ours, {calls:.1f} with CloudFormation's"
    )
    show_modules("first", first["runs"])
    show_hosts("first", first["hosts"])
    sys.stdout.flush()


def show_modules(which: str, runs: list[dict[str, Any]]) -> None:
    print(f"\nmodule runs of the {which} run, wall seconds in parentheses")
    by_action = collections.defaultdict(list)
    for run in runs:
        by_action[run["action"]].append(run)
    for action, those in by_action.items():
        hosts = ", ".join(f"{run['host']} ({run['seconds']:.1f})" for run in those)
        print(f"  {len(those):>3}  {action:<36} {hosts}")


def show_hosts(which: str, hosts: dict[str, Cost]) -> None:
    print(f"\nprocesses forked for tasks of the {which} run, with all that they started; Ansible itself is not in it")
    for host, cost in hosts.items():
        print(f"  {host:<12} {cost['cpu']:6.2f} CPU s {cost['modules']:>4} module runs {cost['tasks']:>4} tasks")


def show_second(found: Cost) -> None:
    second = found["second"]
    show_modules("second", second[-1]["runs"])
    show_hosts("second", second[-1]["hosts"])
    print(f"\n{head()}\n{row(f'site, second run, n={len(second)}', second)}")
    if "terraform" not in found:
        return
    noop = found["terraform"]["noop"]
    print(row("Terraform, create", [found["terraform"]["create"]]))
    print(row(f"Terraform, noop, n={len(noop)}", noop))
    for title, key in (("CPU", "cpu"), ("wall", "wall")):
        ratio = found["ratios"][key]
        verdict = judged(ratio, MUST, GOAL)
        print(f"second run, ours / Terraform's, {title:<4}: {ratio:.3f}   (must {MUST}, goal {GOAL}: {verdict})")


def judged(ratio: float, must: float, goal: float) -> str:
    """What a ratio of ours to Terraform's comes to."""
    return "goal reached" if ratio <= goal else "must reached" if ratio <= must else "MISSED"


def yardstick_environment(state: pathlib.Path) -> dict[str, str]:
    """What the yardstick's script and Terraform run in, with their state in that folder."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
        "PY": sys.executable,
        "YARDSTICK_DIR": str(state),
    }


def begin(description: str, what: str, log: pathlib.Path) -> int:
    """How often to measure, from the command line, with an empty log to write to."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--repeat", type=int, default=int(os.environ.get("REPEAT", "3")), help=what)
    repeat = parser.parse_args().repeat
    if repeat < 1:
        parser.error("--repeat must be at least 1")
    # As make does: without bytecode every module process compiles what it imports.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    log.parent.mkdir(exist_ok=True)
    log.write_text("")
    return repeat


def main() -> int:
    repeat = begin("Measure ethereal.spot.site on the local AWS.", "unchanged runs", LOG)
    found = compare(repeat, os.environ.get("YARDSTICK"))
    if "terraform" in found:
        found["ratios"] = {
            key: statistics.median(cost[key] for cost in found["second"])
            / statistics.median(cost[key] for cost in found["terraform"]["noop"])
            for key in ("cpu", "wall")
        }
    show_second(found)
    RESULT.write_text(json.dumps(found, indent=2) + "\n")
    print(f"\nall figures: {RESULT.relative_to(ROOT)}")
    return 1 if any(ratio > MUST for ratio in found.get("ratios", {}).values()) else 0


if __name__ == "__main__":
    sys.exit(main())
