# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the project's tests in stages and end with `N passed, N failed`.

Usage: run_tests.py [--full] [STAGE ...]. A stage's output goes to .cache/tests/STAGE.log and is printed when something failed.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field

import collection_tree
import grants
import local_aws

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEV = ROOT / ".venvs/dev/bin"
PACKAGES = ROOT / ".venvs/dev/lib"
LOGS = ROOT / ".cache/tests"
# A stage of its own: two of about the same length end sooner than one.
SITE = "tests/end_to_end/test_site.py"
# The top of the tarball. The sandbox, the tools and what needs them stay in the checkout.
SHIPPED = {
    # The importer lints by it, too.
    ".ansible-lint-ignore",
    *("MANIFEST.json", "FILES.json", "LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "requirements.yml"),
    *("changelogs", "docs", "examples", "extensions", "meta", "playbooks", "plugins", "roles", "tests"),
}


@dataclass
class Stage:
    """One stage's commands and what came of them."""

    name: str
    passed: int = 0
    failed: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def log(self) -> pathlib.Path:
        return LOGS / f"{self.name}.log"

    def say(self, text: str) -> None:
        with self.log.open("a") as log:
            log.write(text + "\n")

    def run(
        self,
        *command: str | pathlib.Path,
        cwd: pathlib.Path = ROOT,
        env: dict[str, str] | None = None,
        judge: Callable[[str], bool] | None = None,
    ) -> bool:
        """Run one check. It passes when the exit code is 0 and `judge`, given the output, agrees.

        A pytest run counts its tests, everything else counts as one. A tool finds its fellows of the same environment.
        """
        words = [str(word) for word in command]
        path = f"{pathlib.Path(words[0]).parent}{os.pathsep}{os.environ['PATH']}"
        self.say(f"$ {' '.join(words)}")
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, "PATH": path, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        self.say(done.stdout)
        good = done.returncode == 0 and (judge is None or judge(done.stdout))
        counts = {
            word: int(number)
            for number, word in re.findall(r"(\d+) (passed|failed|errors?)\b", _last_line(done.stdout))
        }
        if any(word.endswith("pytest") for word in words[:2]) and counts:
            failed = counts.get("failed", 0) + counts.get("error", 0) + counts.get("errors", 0)
            self.passed += counts.get("passed", 0)
            self.failed += max(failed, 0 if good else 1)
        else:
            self.passed += good
            self.failed += not good
        if not good:
            self.notes.append(f"failed ({done.returncode}): {' '.join(words)}")
        return good


def _last_line(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def site_packages(environment: str) -> pathlib.Path:
    return next((ROOT / ".venvs" / environment / "lib").glob("python3.*/site-packages"))


def need(stage: Stage, environment: str, minimum: str = "3.11") -> bool:
    return stage.run(ROOT / "tools/environment", environment, minimum)


def lint(stage: Stage) -> None:
    stage.run(DEV / "ruff", "check", ".")
    stage.run(DEV / "ruff", "format", "--check", ".")
    stage.run(DEV / "yamllint", "--strict", ".")
    stage.run(DEV / "antsibull-changelog", "lint")
    stage.run(
        *(DEV / "antsibull-docs", "lint-collection-docs", "--plugin-docs", "--skip-rstcheck"),
        *("--validate-collection-refs", "self", "."),
        # It would ask the checkout's git for amazon.aws's files, which git is told to ignore.
        env={"GIT_CEILING_DIRECTORIES": str(ROOT / ".venvs")},
    )
    stage.run(DEV / "ansible-lint", "--offline", "--strict", "--profile", "production")


def judges(stage: Stage) -> None:
    if not need(stage, "judges"):
        return
    tools = ROOT / ".venvs/judges/bin"
    with tempfile.TemporaryDirectory() as folder:
        rendered = pathlib.Path(folder)
        stage.run(DEV / "python", ROOT / "tools/cluster_templates.py", rendered)
        _judge(stage, tools, [*sorted(ROOT.glob("roles/*/files/*.template")), *sorted(rendered.glob("*.template"))])


def _judge(stage: Stage, tools: pathlib.Path, templates: list[pathlib.Path]) -> None:
    stage.run(tools / "cfn-lint", "--non-zero-exit-code", "informational", "--", *templates)
    stage.run(
        *(tools / "checkov", "--quiet", "--compact", "--skip-download", "--framework", "cloudformation", "--file"),
        *templates,
        judge=lambda output: re.search(r"Passed checks: [1-9]", output) is not None,
    )


def unit(stage: Stage) -> None:
    stage.run(DEV / "pytest", "-n", "2", "-m", "not slow", "tests/unit")


def sandbox(stage: Stage) -> None:
    stage.run(DEV / "pytest", "-m", "not slow", "tests/sandbox")


def sanity(stage: Stage) -> None:
    tree = collection_tree.make("sanity", site_packages("dev"))
    _sanity(stage, DEV, tree, "3.11")


def _sanity(stage: Stage, tools: pathlib.Path, tree: pathlib.Path, python: str) -> None:
    stage.run(
        *(tools / "ansible-test", "sanity", "--python", python, "--color", "no"),
        cwd=tree,
        env={"HOME": str(collection_tree.home())},
        # A tree that ansible-test takes for empty is skipped, with success.
        judge=lambda output: "All targets skipped" not in output and "validate-modules" in output,
    )


def integration(stage: Stage) -> None:
    """Two targets at a time, each on a sandbox of its own, since they count the calls that it sees."""
    folders = sorted((ROOT / "tests/integration/targets").iterdir())
    targets = [folder.name for folder in folders if "hidden" not in (folder / "aliases").read_text().split()]
    with contextlib.ExitStack() as stack, concurrent.futures.ThreadPoolExecutor(2) as pool:
        workers = []
        for number in (1, 2):
            tree = collection_tree.make(f"integration-{number}", site_packages("dev"))
            aws = stack.enter_context(local_aws.running())
            user = local_aws.controller(aws)
            (tree / "tests/integration/integration_config.yml").write_text(
                f"aws_endpoint_url: {aws.url}\n"
                f"aws_access_key: {user['AWS_ACCESS_KEY_ID']}\n"
                f"aws_secret_key: {user['AWS_SECRET_ACCESS_KEY']}\n"
            )
            # A stage of its own, so that two threads never count into one.
            part = Stage(stage.name)
            workers.append((part, pool.submit(_integrate, part, tree, targets)))
        for part, done in workers:
            done.result()
            stage.passed += part.passed
            stage.failed += part.failed
            stage.notes += part.notes


def _integrate(stage: Stage, tree: pathlib.Path, targets: list[str]) -> None:
    """Run targets of the list, which is shared, until none is left."""
    # Two that share a home both make its key, and the second finds a file there.
    home = collection_tree.home(f"home-{tree.parents[2].name}")
    with contextlib.suppress(IndexError):
        while True:
            command = ("integration", "--python", "3.11", "--allow-unsupported", "--color", "no", targets.pop())
            stage.run(
                *(DEV / "ansible-test", *command),
                cwd=tree,
                env={"HOME": str(home)},
                judge=lambda output: "All targets skipped" not in output and "PLAY RECAP" in output,
            )


def molecule(stage: Stage) -> None:
    with local_aws.running() as aws, contextlib.ExitStack() as stack:
        controller = local_aws.controller(aws)
        for scenario in sorted(path.parent.name for path in ROOT.glob("extensions/molecule/*/molecule.yml")):
            # A role with a policy of its own needs no other right.
            own = grants.of_role(scenario)
            environment = local_aws.controller(aws, scenario, role=scenario) if own else controller
            stage.run(
                *(DEV / "molecule", "test", "--scenario-name", scenario),
                # What a failed run left in molecule's own folder would let the next skip steps.
                env={**environment, "MOLECULE_EPHEMERAL_DIRECTORY": stack.enter_context(tempfile.TemporaryDirectory())},
                # The whole sequence must have been gone through: molecule takes a missing playbook for a success.
                judge=lambda output: "Missing playbook" not in output and "Test AWS's state" in output,
            )


def package(stage: Stage) -> None:
    """The tarball, installed with ansible-galaxy where the checkout is out of sight, validates and runs site."""
    if not _build(stage):
        return
    tarball = next(_dist(stage).glob("ethereal-spot-*.tar.gz"))
    stage.run("tar", "tzf", tarball, judge=_ships_the_collection_only)
    where = ROOT / ".cache/installed"
    shutil.rmtree(where, ignore_errors=True)
    clean = {"ANSIBLE_COLLECTIONS_PATH": str(where), "ANSIBLE_HOME": str(where / "home")}
    if not stage.run(DEV / "ansible-galaxy", "collection", "install", "--offline", "-p", where, tarball, env=clean):
        return
    shutil.copy(ROOT / "examples/inventory.yml", where / "inventory.yml")
    (where / "ansible.cfg").write_text("")
    with local_aws.running() as aws:
        environment = {**local_aws.controller(aws), **clean, "ANSIBLE_CONFIG": str(where / "ansible.cfg")}
        for playbook in (
            "ethereal.spot.validate",
            "ethereal.spot.replay",
            "ethereal.spot.site",
            "ethereal.spot.teardown",
        ):
            stage.run(
                *(DEV / "ansible-playbook", playbook, "-i", "inventory.yml", "-e", "teardown_data=true"),
                cwd=where,
                env=environment,
                judge=lambda output: "PLAY RECAP" in output,
            )


def _build(stage: Stage) -> bool:
    shutil.rmtree(_dist(stage), ignore_errors=True)
    return stage.run(DEV / "ansible-galaxy", "collection", "build", "--output-path", _dist(stage))


def _dist(stage: Stage) -> pathlib.Path:
    """A folder of the stage's own: two stages build at the same time."""
    return ROOT / "dist" / stage.name


def _ships_the_collection_only(listing: str) -> bool:
    names = listing.split()
    return {name.split("/")[0] for name in names} <= SHIPPED and not any("__pycache__" in name for name in names)


def site(stage: Stage) -> None:
    stage.run(DEV / "pytest", "-m", "not slow", SITE)


def end_to_end(stage: Stage) -> None:
    stage.run(DEV / "pytest", "-m", "not slow", "--ignore", SITE, "tests/end_to_end")


def newest_core(stage: Stage) -> None:
    if not need(stage, "py313", "3.13"):
        return
    tools = ROOT / ".venvs/py313/bin"
    stage.run(tools / "pytest", "-n", "2", "-m", "not slow", "tests/unit")
    tree = collection_tree.make("sanity-newest", site_packages("py313"))
    _sanity(stage, tools, tree, "3.13")


def importer(stage: Stage) -> None:
    if not need(stage, "importer"):
        return
    if not _build(stage):
        return
    tarball = next(_dist(stage).glob("ethereal-spot-*.tar.gz"))
    config = LOGS / "galaxy-importer.cfg"
    config.write_text(
        "[galaxy-importer]\nRUN_ANSIBLE_TEST=False\nRUN_ANSIBLE_LINT=False\nCHECK_CHANGELOG=True\nCHECK_RUNTIME_YAML=True\n"
    )
    tools = ROOT / ".venvs/importer/bin"
    tree = collection_tree.make("importer", site_packages("dev"))
    stage.run(
        *(tools / "python", "-m", "galaxy_importer.main", tarball),
        # ansible-doc needs amazon.aws's documentation fragments, and the importer sees no collection but its own.
        env={"GALAXY_IMPORTER_CONFIG": str(config), "PYTHONPATH": str(tree.parents[2])},
        judge=lambda output: "completed successfully" in output and "ERROR" not in output,
    )


def slow(stage: Stage) -> None:
    stage.run(DEV / "pytest", "-m", "slow", "tests/sandbox", "tests/end_to_end")
    stage.run(DEV / "pytest", "-n", "2", "-m", "slow", "tests/unit")


# The longest first: two run at a time, and the last should be short.
USUAL = {
    "end-to-end": end_to_end,
    "site": site,
    "sandbox": sandbox,
    "integration": integration,
    "sanity": sanity,
    "molecule": molecule,
    "package": package,
    "unit": unit,
    "lint": lint,
    "judges": judges,
}
SLOW = {"slow": slow, "newest-core": newest_core, "importer": importer}


def perform(name: str) -> Stage:
    """Run one stage and say how it went, with its log when something failed."""
    stage = Stage(name)
    stage.log.write_text("")
    began = time.monotonic()
    try:
        {**USUAL, **SLOW}[name](stage)
    except (Exception, SystemExit) as error:
        # A stage that cannot even run has failed; the others still tell what they know.
        stage.failed += 1
        stage.notes.append(f"{type(error).__name__}: {error}")
    report = [f"{name:<12} {stage.passed:>5} passed {stage.failed:>3} failed {time.monotonic() - began:>6.0f} s"]
    if stage.failed:
        report += [stage.log.read_text(), *(f"{name}: {note}" for note in stage.notes)]
    print("\n".join(report), flush=True)
    return stage


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true", help="the slow stages too")
    parser.add_argument("stages", nargs="*", choices=[[], *USUAL, *SLOW], metavar="STAGE")
    arguments = parser.parse_args()
    chosen = arguments.stages or [*USUAL, *(SLOW if arguments.full else [])]
    LOGS.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        stages = list(pool.map(perform, chosen))
    passed = sum(stage.passed for stage in stages)
    failed = sum(stage.failed for stage in stages)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
