# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ECR's pull-through cache rules. Sources: botocore model of ECR; Amazon ECR user guide, "Sync an upstream registry with an Amazon ECR
private registry", "IAM permissions required to sync ...", "Troubleshooting pull through cache issues", "Create a custom policy for
repository creation templates"; aws/containers-roadmap#2837 (an uncached digest is not found); Service Authorization Reference."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from fleet_kit import refused
from sandbox_process import Sandbox
from test_frame_iam import ACCOUNT
from test_frame_iam import User
from test_frame_iam import allow
from test_frame_iam import denied

RULE = {"ecrRepositoryPrefix": "cache/quay", "upstreamRegistryUrl": "quay.io"}
NAME = "cache/quay/org/serve"
ONE = [{"imageTag": "1"}]
LIFECYCLE = {"rules": []}
READ = ("ecr:DescribeImages", "ecr:BatchGetImage")


def arrived(ecr: Any, name: str = NAME, tag: str = "1") -> dict[str, Any]:
    """The image in the repository, once it is there."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": tag}])["imageDetails"][0]
        except ecr.exceptions.ImageNotFoundException:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def codes(answer: dict[str, Any]) -> list[str]:
    return [failure["failureCode"] for failure in answer["failures"]]


def test_life_of_a_rule(sandbox: Sandbox) -> None:
    ecr = sandbox.client("ecr")
    made = ecr.create_pull_through_cache_rule(**RULE)
    assert (made["upstreamRegistry"], made["upstreamRepositoryPrefix"], made["registryId"]) == ("quay", "ROOT", ACCOUNT)
    with refused("PullThroughCacheRuleAlreadyExistsException"):
        ecr.create_pull_through_cache_rule(**RULE)
    (shown,) = ecr.describe_pull_through_cache_rules(ecrRepositoryPrefixes=["cache/quay"])["pullThroughCacheRules"]
    assert shown.items() >= RULE.items()
    assert sandbox.client("ecr", "eu-west-1").describe_pull_through_cache_rules()["pullThroughCacheRules"] == []
    ecr.delete_pull_through_cache_rule(ecrRepositoryPrefix="cache/quay")
    with refused("PullThroughCacheRuleNotFoundException"):
        ecr.delete_pull_through_cache_rule(ecrRepositoryPrefix="cache/quay")
    with refused("PullThroughCacheRuleNotFoundException"):
        ecr.describe_pull_through_cache_rules(ecrRepositoryPrefixes=["cache/quay"])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"upstreamRegistryUrl": "registry.example.com"}, "UnsupportedUpstreamRegistryException"),
        ({"upstreamRegistryUrl": "docker.io"}, "UnsupportedUpstreamRegistryException"),
        ({"upstreamRegistry": "k8s"}, "UnsupportedUpstreamRegistryException"),
        ({"ecrRepositoryPrefix": "a" * 31}, "InvalidParameterException"),
        ({"ecrRepositoryPrefix": "Cache"}, "InvalidParameterException"),
        (
            {"credentialArn": f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:ecr-pullthroughcache/hub-AbCdEf"},
            "SecretNotFoundException",
        ),
        (
            {"credentialArn": f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:hub-AbCdEf"},
            "InvalidParameterException",
        ),
    ],
)
def test_rules_that_ecr_refuses(sandbox: Sandbox, change: dict[str, str], code: str) -> None:
    with refused(code):
        sandbox.client("ecr").create_pull_through_cache_rule(**{**RULE, **change})


def test_an_image_is_given_at_once_and_imported_a_while_later(sandbox: Sandbox) -> None:
    ecr = sandbox.client("ecr")
    sandbox.control("PUT", "market", {"import_seconds": 1})
    with refused("RepositoryNotFoundException"):
        ecr.batch_get_image(repositoryName=NAME, imageIds=ONE)
    ecr.create_pull_through_cache_rule(**RULE)
    with refused("RepositoryNotFoundException"):
        ecr.describe_images(repositoryName=NAME, imageIds=ONE)
    (image,) = ecr.batch_get_image(repositoryName=NAME, imageIds=ONE)["images"]
    with refused("ImageNotFoundException"):
        ecr.describe_images(repositoryName=NAME, imageIds=ONE)
    assert arrived(ecr)["imageDigest"] == image["imageId"]["imageDigest"]
    by_digest = [{"imageDigest": image["imageId"]["imageDigest"]}]
    assert ecr.describe_images(repositoryName=NAME, imageIds=by_digest)["imageDetails"][0]["imageTags"] == ["1"]
    # Without the rule what is cached stays, and nothing more comes.
    ecr.delete_pull_through_cache_rule(ecrRepositoryPrefix="cache/quay")
    assert len(ecr.batch_get_image(repositoryName=NAME, imageIds=ONE)["images"]) == 1
    assert codes(ecr.batch_get_image(repositoryName=NAME, imageIds=[{"imageTag": "2"}])) == ["ImageNotFound"]


def test_what_the_registry_has_not(sandbox: Sandbox) -> None:
    ecr = sandbox.client("ecr")
    sandbox.control("PUT", "market", {"registries": {"quay.io": {"org/serve": ["1"]}}})
    ecr.create_pull_through_cache_rule(**RULE)
    with refused("RepositoryNotFoundException"):
        ecr.batch_get_image(repositoryName="cache/quay/org/other", imageIds=ONE)
    ecr.batch_get_image(repositoryName=NAME, imageIds=ONE)
    arrived(ecr)
    assert codes(ecr.batch_get_image(repositoryName=NAME, imageIds=[{"imageTag": "2"}])) == ["ImageNotFound"]


def test_a_digest_that_is_not_cached_is_not_found(sandbox: Sandbox) -> None:
    ecr = sandbox.client("ecr")
    ecr.create_pull_through_cache_rule(**RULE)
    digest = ecr.batch_get_image(repositoryName=NAME, imageIds=ONE)["images"][0]["imageId"]["imageDigest"]
    sandbox.control("POST", "reset")
    ecr.create_pull_through_cache_rule(**RULE)
    with refused("RepositoryNotFoundException"):
        ecr.batch_get_image(repositoryName=NAME, imageIds=[{"imageDigest": digest}])


def test_ecr_of_another_region(sandbox: Sandbox) -> None:
    ecr, there = sandbox.client("ecr"), sandbox.client("ecr", "eu-west-1")
    there.create_repository(repositoryName="serve")
    there.put_image(repositoryName="serve", imageManifest='{"schemaVersion": 2}', imageTag="1")
    url = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"
    ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="cache/ecr", upstreamRegistryUrl=url)
    (image,) = ecr.batch_get_image(repositoryName="cache/ecr/serve", imageIds=ONE)["images"]
    assert arrived(ecr, "cache/ecr/serve")["imageDigest"] == image["imageId"]["imageDigest"]
    assert codes(ecr.batch_get_image(repositoryName="cache/ecr/serve", imageIds=[{"imageTag": "2"}])) == [
        "ImageNotFound"
    ]


def test_ecr_of_another_account_needs_a_role(sandbox: Sandbox) -> None:
    ecr = sandbox.client("ecr")
    ecr.create_repository(repositoryName="cache/ecr/serve")
    url = "210987654321.dkr.ecr.us-east-1.amazonaws.com"
    ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="cache/ecr", upstreamRegistryUrl=url)
    assert codes(ecr.batch_get_image(repositoryName="cache/ecr/serve", imageIds=ONE)) == ["UpstreamAccessDenied"]


def test_docker_hub_needs_credentials(sandbox: Sandbox) -> None:
    ecr, secrets = sandbox.client("ecr"), sandbox.client("secretsmanager")
    hub = {"ecrRepositoryPrefix": "cache/hub", "upstreamRegistryUrl": "registry-1.docker.io"}
    ecr.create_repository(repositoryName="cache/hub/library/nginx")
    ecr.create_pull_through_cache_rule(**hub)
    assert codes(ecr.batch_get_image(repositoryName="cache/hub/library/nginx", imageIds=ONE)) == [
        "UpstreamAccessDenied"
    ]
    ecr.delete_pull_through_cache_rule(ecrRepositoryPrefix="cache/hub")
    secret = secrets.create_secret(Name="ecr-pullthroughcache/hub", SecretString="{}")["ARN"]
    ecr.create_pull_through_cache_rule(**hub, credentialArn=secret)
    assert len(ecr.batch_get_image(repositoryName="cache/hub/library/nginx", imageIds=ONE)["images"]) == 1


@pytest.fixture
def key(sandbox: Sandbox) -> str:
    return sandbox.client("kms").create_key()["KeyMetadata"]["Arn"]


def role(sandbox: Sandbox, *statements: dict[str, Any]) -> str:
    """A role for ECR."""
    iam = sandbox.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "ecr.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName="cache", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam.put_role_policy(RoleName="cache", PolicyName="make", PolicyDocument=policy)
    return arn


def template(key: str, role_arn: str) -> dict[str, Any]:
    return {
        "prefix": "cache/quay",
        "appliedFor": ["PULL_THROUGH_CACHE"],
        "customRoleArn": role_arn,
        "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": key},
        "lifecyclePolicy": json.dumps(LIFECYCLE),
        "resourceTags": [{"Key": "team", "Value": "ml"}],
    }


MAKE = allow(("ecr:CreateRepository", "ecr:TagResource"), f"arn:aws:ecr:*:{ACCOUNT}:repository/cache/quay/*")
USE = allow(("kms:CreateGrant", "kms:DescribeKey"), f"arn:aws:kms:*:{ACCOUNT}:key/*")


def test_a_template_shapes_the_repository(sandbox: Sandbox, key: str) -> None:
    ecr = sandbox.client("ecr")
    wanted = template(key, role(sandbox, MAKE, USE))
    ecr.create_repository_creation_template(**wanted)
    with refused("TemplateAlreadyExistsException"):
        ecr.create_repository_creation_template(**wanted)
    (shown,) = ecr.describe_repository_creation_templates(prefixes=["cache/quay"])["repositoryCreationTemplates"]
    assert shown.items() >= wanted.items()
    ecr.create_pull_through_cache_rule(**RULE)
    ecr.batch_get_image(repositoryName=NAME, imageIds=ONE)
    (made,) = ecr.describe_repositories(repositoryNames=[NAME])["repositories"]
    assert made["encryptionConfiguration"] == wanted["encryptionConfiguration"]
    assert ecr.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"] == wanted["resourceTags"]
    assert json.loads(ecr.get_lifecycle_policy(repositoryName=NAME)["lifecyclePolicyText"]) == LIFECYCLE
    ecr.update_repository_creation_template(prefix="cache/quay", description="changed")
    (shown,) = ecr.describe_repository_creation_templates()["repositoryCreationTemplates"]
    assert (shown["description"], shown["resourceTags"]) == ("changed", wanted["resourceTags"])
    ecr.delete_repository_creation_template(prefix="cache/quay")
    with refused("TemplateNotFoundException"):
        ecr.delete_repository_creation_template(prefix="cache/quay")
    assert ecr.describe_repository_creation_templates(prefixes=["cache/quay"])["repositoryCreationTemplates"] == []


@pytest.mark.parametrize("statements", [(MAKE,), (USE,)])
def test_the_templates_role_must_be_allowed(sandbox: Sandbox, key: str, statements: tuple[dict[str, Any], ...]) -> None:
    ecr = sandbox.client("ecr")
    ecr.create_repository_creation_template(**template(key, role(sandbox, *statements)))
    ecr.create_pull_through_cache_rule(**RULE)
    with refused("RepositoryNotFoundException"):
        ecr.batch_get_image(repositoryName=NAME, imageIds=ONE)


IMPORT = ("ecr:BatchImportUpstreamImage", "ecr:CreateRepository", "ecr:TagResource")


@pytest.mark.parametrize("missing", [None, *IMPORT])
def test_whoever_pulls_first_must_be_allowed(sandbox: Sandbox, key: str, missing: str | None) -> None:
    """Who may not hears that there is nothing."""
    ecr = sandbox.client("ecr")
    ecr.create_repository_creation_template(**template(key, role(sandbox, MAKE, USE)))
    ecr.create_pull_through_cache_rule(**RULE)
    actions = [action for action in (*READ, *IMPORT) if action != missing]
    puller = User(sandbox, allow(actions, f"arn:aws:ecr:*:{ACCOUNT}:repository/cache/*")).client("ecr")
    if missing is None:
        assert len(puller.batch_get_image(repositoryName=NAME, imageIds=ONE)["images"]) == 1
        return
    with refused("RepositoryNotFoundException"):
        puller.batch_get_image(repositoryName=NAME, imageIds=ONE)


def test_rules_and_templates_are_no_resources_and_roles_are_passed(sandbox: Sandbox, key: str) -> None:
    arn = role(sandbox, MAKE, USE)
    scoped = User(sandbox, allow("ecr:*", f"arn:aws:ecr:*:{ACCOUNT}:repository/*"), name="scoped").client("ecr")
    with denied("AccessDeniedException"):
        scoped.create_pull_through_cache_rule(**RULE)
    free = User(sandbox, allow("ecr:*", "*"), name="free").client("ecr")
    free.create_pull_through_cache_rule(**RULE)
    with denied("AccessDeniedException"):
        free.create_repository_creation_template(**template(key, arn))


def test_an_import_is_a_change_in_the_call_log(sandbox: Sandbox) -> None:
    ecr = sandbox.client("ecr")
    ecr.create_pull_through_cache_rule(**RULE)
    ecr.batch_get_image(repositoryName=NAME, imageIds=ONE)
    assert "BatchGetImage" in [call["action"] for call in sandbox.calls(mutating=True)]


def test_a_reset_forgets_them(sandbox: Sandbox, key: str) -> None:
    ecr = sandbox.client("ecr")
    ecr.create_pull_through_cache_rule(**RULE)
    ecr.create_repository_creation_template(**template(key, role(sandbox, MAKE)))
    sandbox.control("POST", "reset")
    assert ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"] == []
    assert ecr.describe_repository_creation_templates()["repositoryCreationTemplates"] == []
