# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An image that is to be in ECR: imported once, waited for, removed with its namespace; judged by ECR's requests, with moto behind them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import boto3
import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._aws.waiters import Pace
from ansible_collections.ethereal.spot.plugins.modules import spot_image_cache

REGION = "us-west-2"
SPACE = "gpu-us-west-2"
REPOSITORY = f"{SPACE}/quay/org/serve"
KIND = "application/vnd.docker.distribution.manifest.v2+json"
MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": KIND, "config": {}, "layers": []})
DIGEST = f"sha256:{hashlib.sha256(MANIFEST.encode()).hexdigest()}"
OTHER = f"sha256:{'0' * 64}"


class Registry:
    """moto's ECR with a rule in front of it: what is upstream is there some looks after it was read for the first time."""

    def __init__(self, recorder: Any) -> None:
        self.client = boto3.client("ecr", REGION)
        self.upstream = {(REPOSITORY, "1"): DIGEST}
        self.takes = 2
        self.looks: int | None = None
        recorder.answer("ecr", "BatchGetImage", self.BatchGetImage)
        recorder.answer("ecr", "DescribeImages", self.DescribeImages)

    def BatchGetImage(self, params, region):
        ((name, tag),) = [(params["repositoryName"], image.get("imageTag")) for image in params["imageIds"]]
        found = self.upstream.get((name, tag))
        if found is None:
            failure = {"failureCode": "ImageNotFound", "failureReason": "Requested image not found"}
            return {"images": [], "failures": [failure]}
        assert "application/vnd.oci.image.index.v1+json" in params["acceptedMediaTypes"]
        self.looks = 0
        return {"images": [{"imageId": {"imageDigest": found}, "imageManifest": MANIFEST}], "failures": []}

    def DescribeImages(self, params, region):
        if self.looks is not None:
            self.looks += 1
            if self.looks == self.takes:
                self.put(REPOSITORY, "1")

    def put(self, name: str, tag: str) -> None:
        self.client.create_repository(repositoryName=name)
        self.client.put_image(repositoryName=name, imageManifest=MANIFEST, imageTag=tag, imageDigest=DIGEST)

    def repositories(self) -> set[str]:
        return {found["repositoryName"] for found in self.client.describe_repositories()["repositories"]}


def asked(result: Any) -> list[str]:
    """The module's calls, without those that stand for ECR's own work."""
    return [name for name in result.operations() if name not in ("CreateRepository", "PutImage")]


@pytest.fixture
def registry(aws, recorder, monkeypatch):
    monkeypatch.setattr(spot_image_cache, "PACE", Pace(0.01))
    return Registry(recorder)


@pytest.fixture
def run(run_module):
    def call(check_mode=False, diff=False, **options):
        wanted = {} if options.get("state") == "absent" else {"repository": REPOSITORY, "tag": "1"}
        return run_module(spot_image_cache, {**wanted, "region": REGION, **options}, check_mode, diff)

    return call


def test_foretold_imported_and_there(registry, run):
    foretold = run(check_mode=True, diff=True)
    assert (foretold["changed"], foretold["digest"], foretold.operations()) == (True, None, ["DescribeImages"])
    assert foretold["diff"] == {"before": {"cached": False}, "after": {"cached": True}}
    done = run()
    assert (done["changed"], done["digest"]) == (True, DIGEST)
    assert done["size_bytes"] > 0
    assert asked(done) == ["DescribeImages", "BatchGetImage", "DescribeImages", "DescribeImages"]
    for check_mode in (True, False):
        again = run(check_mode=check_mode)
        assert (again["changed"], again["digest"], again.operations()) == (False, DIGEST, ["DescribeImages"])


def test_by_digest_it_is_looked_for_by_digest_and_imported_by_tag(registry, run):
    done = run(digest=DIGEST)
    assert done["changed"]
    first, second, *_rest = [(call.operation, call.params.get("imageIds")) for call in done.calls]
    assert first == ("DescribeImages", [{"imageDigest": DIGEST}])
    assert second == ("BatchGetImage", [{"imageTag": "1"}])
    assert run(digest=DIGEST).operations() == ["DescribeImages"]


def test_a_tag_that_has_moved_is_not_waited_for(registry, run):
    failed = run(digest=OTHER)
    assert failed["msg"] == f"ECR does not import {REPOSITORY}:1@{OTHER}: tag 1 is {DIGEST} by now"
    assert failed.operations() == ["DescribeImages", "BatchGetImage"]


def test_what_is_not_upstream_fails_with_ecrs_reason(registry, run):
    failed = run(tag="2")
    assert failed["msg"].startswith(
        f"ECR does not import {REPOSITORY}:2: ImageNotFound: Requested image not found: it is "
    )
    assert (failed["changed"], failed.operations()) == (False, ["DescribeImages", "BatchGetImage"])


@pytest.mark.parametrize("code", ["RepositoryNotFoundException", "UnableToGetUpstreamImageException"])
def test_refusals_keep_code_and_request_id(registry, run, recorder, aws_error, code):
    recorder.answer("ecr", "BatchGetImage", aws_error(code))
    failed = run()
    assert (failed["error"]["code"], failed["request_id"]) == (code, "request-1")
    assert failed["msg"].endswith("The rule's registry has no such image, or none that ECR may read.")


def test_a_denied_look_is_no_absence(registry, run, recorder, aws_error):
    recorder.answer("ecr", "DescribeImages", aws_error("AccessDeniedException"))
    failed = run()
    assert failed["error"]["code"] == "AccessDeniedException"
    assert failed.operations() == ["DescribeImages"]


def test_an_import_that_takes_too_long_is_gone_on_with(registry, run):
    registry.takes = 1000
    failed = run(wait_timeout=1)
    assert f"ECR has not imported {REPOSITORY}:1 within 1 seconds; run again to wait on" in failed["msg"]
    registry.takes, registry.looks = 2, 0
    assert run()["digest"] == DIGEST


OTHERS = {"gpu-us-west-2-blue/quay/org/serve", "gpu-us-west-2", f"x/{SPACE}/serve"}


@pytest.fixture
def cached(registry):
    """Two repositories of the namespace, with images, and others that begin alike."""
    own = {REPOSITORY, f"{SPACE}/hub1a2/library/nginx"}
    for name in own | OTHERS:
        registry.put(name, "1")
    return own


def test_the_namespace_goes_and_nothing_else(registry, cached, run):
    foretold = run(check_mode=True, diff=True, state="absent", namespace=SPACE)
    assert (foretold["changed"], foretold.mutating) == (True, [])
    assert foretold["diff"] == {"before": {"repositories": sorted(cached)}, "after": {"repositories": []}}
    gone = run(state="absent", namespace=SPACE)
    assert (gone["changed"], gone["repositories"]) == (True, sorted(cached))
    assert registry.repositories() == OTHERS
    again = run(state="absent", namespace=SPACE)
    assert (again["changed"], again["repositories"], again.operations()) == (False, [], ["DescribeRepositories"])


def test_a_removal_that_was_cut_short_is_gone_on_with(registry, cached, run, recorder, aws_error):
    deleted: list[str] = []

    def once(params, region):
        if deleted:
            raise aws_error("ServerException")
        deleted.append(params["repositoryName"])

    recorder.answer("ecr", "DeleteRepository", once)
    assert run(state="absent", namespace=SPACE)["error"]["code"] == "ServerException"
    recorder.answer("ecr", "DeleteRepository", lambda params, region: None)
    assert run(state="absent", namespace=SPACE)["repositories"] == sorted(cached - set(deleted))
    assert registry.repositories() == OTHERS


def test_what_somebody_else_removes_meanwhile_is_fine(registry, cached, run, recorder, aws_error):
    recorder.answer("ecr", "DeleteRepository", aws_error("RepositoryNotFoundException"))
    assert run(state="absent", namespace=SPACE)["changed"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"repository": "A"}, "repository: 'A' is no name of a repository in ECR"),
        ({"tag": "a b"}, "tag: 'a b' is no image's tag"),
        ({"digest": "sha256:1"}, "digest: 'sha256:1' must be sha256: and 64 hexadecimal digits"),
        ({"wait_timeout": -1}, "wait_timeout: -1 must be"),
        ({"state": "absent", "namespace": ""}, "namespace: '' is no namespace of repositories in ECR"),
        ({"state": "absent"}, "namespace"),
    ],
)
def test_bad_input_costs_no_call(registry, run, options, message):
    failed = run(**options)
    assert failed.failed
    assert message in failed["msg"]
    assert failed.calls == []
