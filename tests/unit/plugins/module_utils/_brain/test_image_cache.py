# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images behind pull-through rules: what becomes of a reference, and what no rule serves."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies

from ansible_collections.ethereal.spot.plugins.module_utils._brain import image_cache
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.names import PLACE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.names import PREFIX
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import KNOWN

REGION = "us-west-2"
SPACE = "ethereal-us-west-2"
DIGEST = "sha256:" + "0123456789abcdef" * 4
SECRET = "arn:aws:secretsmanager:us-west-2:123456789012:secret:ecr-pullthroughcache/hub-AbCdEf"
# The botocore model's PullThroughCacheRuleRepositoryPrefix, 2 to 30 characters.
PREFIX_OF_A_RULE = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")


@pytest.mark.parametrize(
    ("image", "registry", "repository", "tag", "digest"),
    [
        ("nginx", "docker.io", "library/nginx", "latest", None),
        ("nginx:1.27", "docker.io", "library/nginx", "1.27", None),
        ("docker.io/nginx", "docker.io", "library/nginx", "latest", None),
        ("index.docker.io/library/nginx:1", "docker.io", "library/nginx", "1", None),
        ("registry-1.docker.io/a/b", "docker.io", "a/b", "latest", None),
        ("vllm/vllm-openai:v0.9", "docker.io", "vllm/vllm-openai", "v0.9", None),
        (f"nginx@{DIGEST}", "docker.io", "library/nginx", None, DIGEST),
        (f"nginx:1@{DIGEST}", "docker.io", "library/nginx", "1", DIGEST),
        ("quay.io/a/b/c:2", "quay.io", "a/b/c", "2", None),
        ("localhost/a", "localhost", "a", "latest", None),
        ("localhost:5000/a:1", "localhost:5000", "a", "1", None),
        ("registry:5000/a/b", "registry:5000", "a/b", "latest", None),
        ("public.ecr.aws/docker/library/busybox:1.37", "public.ecr.aws", "docker/library/busybox", "1.37", None),
    ],
)
def test_parts_of_a_reference(image, registry, repository, tag, digest):
    assert image_cache.parse(image) == image_cache.Reference(registry, repository, tag, digest)


FAR = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
FARTHER = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("image", "secret", "url", "prefix", "repository", "version"),
    [
        ("quay.io/a/b:1", None, "quay.io", "quay", "a/b", ":1"),
        ("public.ecr.aws/a/b", None, "public.ecr.aws", "public", "a/b", ":latest"),
        ("registry.k8s.io/pause:3.10", None, "registry.k8s.io", "k8s", "pause", ":3.10"),
        (f"quay.io/a/b:1@{DIGEST}", None, "quay.io", "quay", "a/b", f"@{DIGEST}"),
        ("nginx:1", SECRET, "registry-1.docker.io", "hubdfd", "library/nginx", ":1"),
        ("ghcr.io/a/b:1", SECRET, "ghcr.io", "ghcdfd", "a/b", ":1"),
        ("registry.gitlab.com/a/b/c:1", SECRET, "registry.gitlab.com", "gitdfd", "a/b/c", ":1"),
        (f"{FAR}/a/b:1", None, FAR, "ecr8b9", "a/b", ":1"),
        (f"{FARTHER}/a/b:1", None, FARTHER, "ecrbaa", "a/b", ":1"),
    ],
)
def test_an_image_behind_a_rule(image, secret, url, prefix, repository, version):
    found = image_cache.pull_through(image, REGION, SPACE, secret)
    assert (found.url, found.prefix) == (url, f"{SPACE}/{prefix}")
    assert (found.repository, found.version) == (f"{SPACE}/{prefix}/{repository}", version)
    assert found.account == ("123456789012" if prefix.startswith("ecr") else None)


@pytest.mark.parametrize("account", ["123456789012", "210987654321"])
@pytest.mark.parametrize("version", ["", ":1", f"@{DIGEST}"])
def test_what_is_in_ecr_of_the_region_needs_no_rule(account, version):
    image = f"{account}.dkr.ecr.{REGION}.amazonaws.com/a/b{version}"
    assert image_cache.pull_through(image, REGION, SPACE) is None


@pytest.mark.parametrize(
    ("image", "region", "secret", "option", "rule"),
    [
        (
            "registry.example.com/a:1",
            REGION,
            None,
            "image",
            r"cannot be pulled through ECR, which does so from public\.ecr\.aws, .*",
        ),
        ("localhost:5000/a", REGION, None, "image", "cannot be pulled through ECR"),
        ("us-docker.pkg.dev/a/b/c:1", REGION, None, "image", "cannot be pulled through ECR"),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.example/a", REGION, None, "image", "cannot be pulled"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/a:1", REGION, None, "image", "cannot be pulled through ECR"),
        ("123456789012.dkr.ecr.us-gov-west-1.amazonaws.com/a:1", REGION, None, "image", "cannot be pulled through ECR"),
        ("quay.io/a/b:1", "cn-north-1", None, "image", "ECR in cn-north-1, which has no pull-through caches"),
        ("quay.io/a/b:1", "us-gov-west-1", None, "image", "which has no pull-through caches"),
        (f"quay.io/a/b@{DIGEST}", REGION, None, "image", "needs a tag beside its digest"),
        ("quay.io/A/b:1", REGION, None, "image", "no name of a repository in ECR"),
        ("quay.io/a//b:1", REGION, None, "image", "no name of a repository in ECR"),
        ("quay.io/" + "a" * 240, REGION, None, "image", "at most 256 characters"),
        ("nginx:1", REGION, None, "secret", r"must be given for docker\.io"),
        ("ghcr.io/a/b:1", REGION, None, "secret", r"must be given for ghcr\.io"),
        ("registry.gitlab.com/a/b:1", REGION, None, "secret", r"must be given for registry\.gitlab\.com"),
        ("quay.io/a/b:1", REGION, SECRET, "secret", r"ECR takes no credentials for quay\.io"),
        (f"123456789012.dkr.ecr.{REGION}.amazonaws.com/a:1", REGION, SECRET, "secret", "is of no use"),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/a:1", REGION, SECRET, "secret", "is of no use"),
        (
            "nginx:1",
            REGION,
            SECRET.replace("us-west-2", "us-east-1"),
            "secret",
            "is in us-east-1, the fleet is in us-west-2",
        ),
        ("nginx:1", REGION, SECRET.replace("arn:aws:", "arn:aws-cn:"), "secret", "partition aws-cn"),
        ("nginx:1", REGION, SECRET.replace("ecr-pullthroughcache/", ""), "secret", "begins with ecr-pullthroughcache/"),
        ("nginx:1", REGION, "ecr-pullthroughcache/hub", "secret", "must be the ARN of a secret"),
    ],
)
def test_what_no_rule_serves(image, region, secret, option, rule):
    with pytest.raises(InputError, match=rule) as refused:
        image_cache.pull_through(image, region, SPACE, secret, ("image", "secret"))
    assert refused.value.option == option


def test_another_secret_is_another_rule():
    """CloudFormation replaces a rule whose secret changes, and two rules cannot have one prefix."""
    other = SECRET.replace("AbCdEf", "GhIjKl")
    rules = {image_cache.pull_through("nginx:1", REGION, SPACE, secret).prefix for secret in (SECRET, other)}
    assert len(rules) == 2


@pytest.mark.parametrize("region", sorted(KNOWN))
def test_with_the_default_prefix_no_region_needs_to_be_cut(region):
    if len(region) <= len("ap-southeast-1"):
        assert image_cache.namespace("ethereal", region) == f"ethereal-{region}"


@given(strategies.from_regex(PREFIX, fullmatch=True), strategies.from_regex(PLACE, fullmatch=True))
def test_every_name_makes_a_prefix_that_ecr_takes(prefix, place):
    prefix, place = prefix.rstrip("-") or "ab", place.rstrip("-") or "a"
    space = image_cache.namespace(prefix, place)
    images = [("quay.io/a", None), ("nginx", SECRET), ("123456789012.dkr.ecr.us-east-1.amazonaws.com/a", None)]
    for image, secret in images:
        rule = image_cache.pull_through(image, REGION, space, secret).prefix
        assert 2 <= len(rule) <= 30
        assert PREFIX_OF_A_RULE.fullmatch(rule)
        assert rule.startswith(f"{space}/")


def test_places_that_are_cut_stay_apart():
    spaces = [image_cache.namespace("ethereal-research", f"us-west-2-{word}") for word in ("blue", "green", "blue-2")]
    assert len(set(spaces)) == 3
    assert all(space.startswith("ethereal-researc") for space in spaces)


def test_repositories_of_a_namespace():
    names = ["a-b/quay/x", "a-b", "a-b-c/quay/x", "x/a-b/y", "a-b/hub123/library/nginx"]
    assert image_cache.under("a-b", names) == ["a-b/hub123/library/nginx", "a-b/quay/x"]


@pytest.mark.parametrize(("digest", "expected"), [(None, {"imageTag": "1"}), (DIGEST, {"imageDigest": DIGEST})])
def test_a_digest_goes_before_a_tag(digest, expected):
    assert image_cache.image_id("1", digest) == expected


LIST = json.dumps({"manifests": [{"digest": DIGEST}, {"digest": "sha256:" + "1" * 64}]})
OTHER = "sha256:" + "2" * 64


@pytest.mark.parametrize(
    ("answer", "digest", "expected"),
    [
        ({"images": [{"imageId": {"imageDigest": OTHER}}]}, None, None),
        ({"images": [{"imageId": {"imageDigest": DIGEST}}]}, DIGEST, None),
        ({"images": [{"imageId": {"imageDigest": OTHER}, "imageManifest": LIST}]}, DIGEST, None),
        ({"images": [{"imageId": {"imageDigest": OTHER}, "imageManifest": "{}"}]}, DIGEST, f"tag 1 is {OTHER} by now"),
        ({"images": [{"imageId": {"imageDigest": OTHER}, "imageManifest": "["}]}, DIGEST, f"tag 1 is {OTHER} by now"),
        ({"images": [{"imageId": {"imageDigest": OTHER}, "imageManifest": "[]"}]}, DIGEST, f"tag 1 is {OTHER} by now"),
        (
            {"failures": [{"failureCode": "ImageNotFound", "failureReason": "Requested image not found"}]},
            None,
            "ImageNotFound: Requested image not found: it is not there, or ecr:BatchImportUpstreamImage is not granted",
        ),
        (
            {"failures": [{"failureCode": "UpstreamAccessDenied", "failureReason": "bad credentials"}]},
            DIGEST,
            "UpstreamAccessDenied: bad credentials",
        ),
    ],
)
def test_why_an_image_does_not_come(answer, digest, expected):
    assert image_cache.refusal(answer, "1", digest) == expected


@pytest.mark.parametrize(
    "params",
    [
        {"repository": "A"},
        {"repository": "a/"},
        {"tag": ""},
        {"tag": "a:b"},
        {"tag": "a" * 129},
        {"digest": "sha256:1"},
        {"namespace": ""},
        {"namespace": "a/"},
        {"namespace": "*"},
    ],
)
def test_bad_options(params):
    ((option, _value),) = params.items()
    with pytest.raises(InputError) as refused:
        image_cache.check_wanted(params)
    assert refused.value.option == option


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("123456789012.dkr.ecr.us-west-2.amazonaws.com/serve:1.4", "us-west-2:123456789012:repository/serve"),
        (
            "123456789012.dkr.ecr.us-west-2.amazonaws.com/a/b@sha256:" + "0" * 64,
            "us-west-2:123456789012:repository/a/b",
        ),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/serve", "cn-north-1:123456789012:repository/serve"),
        ("public.ecr.aws/docker/library/busybox:1.37", ""),
        ("registry.example.com/123456789012.dkr.ecr.us-west-2.amazonaws.com/serve", ""),
    ],
)
def test_repository_of_an_image(image: str, repository: str) -> None:
    assert image_cache.ecr_repository(image) == repository
