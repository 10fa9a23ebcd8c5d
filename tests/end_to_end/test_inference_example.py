# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inference server of examples/inference.yml: made, unchanged, and gone. Its prefix is that of the policies."""

from __future__ import annotations

import leftovers
import local_aws
import pytest
from deployment import ROOT
from deployment import Account

HUB = "us-east-1"
WORKERS = ("us-west-2", "eu-west-1")
EXAMPLE = ("-i", str(ROOT / "examples/inference.yml"), "-e", "spot_prefix=ethereal")


@pytest.fixture(scope="module")
def account():
    with local_aws.running() as aws:
        found = Account(aws, local_aws.controller(aws), set())
        ecr = found.client("ecr", HUB)
        ecr.create_repository(repositoryName="sglang")
        ecr.put_image(repositoryName="sglang", imageManifest='{"schemaVersion": 2}', imageTag="v0.4.6")
        found.before.update(leftovers.listing(aws.url))
        yield found


@pytest.fixture(scope="module")
def made(account):
    return account.play("site", *EXAMPLE)


def test_every_region_is_ready_to_serve_and_one_does(account, made):
    running = []
    for region in WORKERS:
        name = f"ethereal-{region}"
        ecs = account.client("ecs", region)
        (service,) = ecs.describe_services(cluster=name, services=[name])["services"]
        running.append(service["runningCount"])
        (container,) = ecs.describe_task_definition(taskDefinition=name)["taskDefinition"]["containerDefinitions"]
        assert container["image"].startswith(f"123456789012.dkr.ecr.{region}.amazonaws.com/{name}/")
        assert container["resourceRequirements"] == [{"type": "GPU", "value": "4"}]
        assert container["linuxParameters"]["sharedMemorySize"] == 32768
        assert container["portMappings"][0]["containerPort"] == 30000
        assert container["healthCheck"]["command"][-1].endswith(":30000/health")
        assert container["mountPoints"] == [{"sourceVolume": "models", "containerPath": "/models", "readOnly": True}]
        held = account.client("ssm", region).get_parameter(Name=f"/ethereal/{region}/models")["Parameter"]["Value"]
        assert f"s3://models-123456789012-{region}/llama-3.1-8b" in held
    assert sorted(running) == [0, 1]


def test_again_it_changes_nothing(account, made):
    again = account.play("site", *EXAMPLE)
    assert (again.changed, again.mutating) == ({HUB: 0, **dict.fromkeys(WORKERS, 0)}, [])


def test_teardown_leaves_nothing(account, made):
    account.play("teardown", *EXAMPLE, "-e", "teardown_data=true")
    assert leftovers.listing(account.aws.url) - account.before == set()
    calls = account.aws.control("GET", "calls")
    assert not [call for call in calls for judged in call["iam"] or [] if not judged["allowed"]]
