# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images from elsewhere in ECR of a place: pull-through rules and what is behind them. PRIVATE to the collection."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_regional_arn
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import partition_of

DOCKER_HUB = "docker.io"
# Names that docker takes for Docker Hub.
DOCKER_HUB_NAMES = (DOCKER_HUB, "index.docker.io", "registry-1.docker.io")
# A registry in ECR, dual-stack addresses excepted, which are no upstream (botocore model: CreatePullThroughCacheRule.upstreamRegistryUrl).
ECR = re.compile(r"(?P<account>[0-9]{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.(?P<suffix>amazonaws\.com(\.cn)?)")
# What a repository in ECR can be called (botocore model: RepositoryName).
REPOSITORY = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
LONGEST_REPOSITORY = 256
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# A rule's prefix has 30 characters at most (botocore model: PullThroughCacheRuleRepositoryPrefix): the place's own, a slash, and six for
# the upstream.
LONGEST_NAMESPACE = 23
TAIL = 6
# The name that a secret must have, and what its ARN looks like (botocore model: CredentialArn).
SECRET_ARN = re.compile(
    r"arn:(?P<partition>aws(-[a-z]+)*):secretsmanager:(?P<region>[a-z0-9-]+):[0-9]{12}:"
    r"secret:ecr-pullthroughcache/[a-zA-Z0-9/_+=.@-]{1,512}"
)


@dataclass(frozen=True)
class Upstream:
    """A registry that ECR pulls through: its address, the word for it in a prefix, whether it needs credentials."""

    url: str
    word: str
    needs_secret: bool = False


# Amazon ECR user guide, "Sync an upstream registry with an Amazon ECR private registry".
UPSTREAMS: Mapping[str, Upstream] = {
    "public.ecr.aws": Upstream("public.ecr.aws", "public"),
    "quay.io": Upstream("quay.io", "quay"),
    "registry.k8s.io": Upstream("registry.k8s.io", "k8s"),
    DOCKER_HUB: Upstream("registry-1.docker.io", "hub", True),
    "ghcr.io": Upstream("ghcr.io", "ghc", True),
    "registry.gitlab.com": Upstream("registry.gitlab.com", "git", True),
}


@dataclass(frozen=True)
class Reference:
    """An image's reference in its parts; `digest` is None where it has none."""

    registry: str
    repository: str
    tag: str | None
    digest: str | None


@dataclass(frozen=True)
class Cached:
    """An image behind a rule: the rule's URL and prefix, and the image's repository, tag and digest in the place's ECR.

    `account` is the one whose ECR is the upstream, None for other registries.
    """

    url: str
    account: str | None
    prefix: str
    repository: str
    tag: str
    digest: str | None

    @property
    def version(self) -> str:
        """What follows the repository in the image's name. ECS takes a tag or a digest; what is pinned stays pinned."""
        return f"@{self.digest}" if self.digest else f":{self.tag}"


def parse(image: str) -> Reference:
    """The parts of an image's reference, as docker reads it: what has no registry is Docker Hub's, and one word there is in `library`."""
    name, _at, digest = image.partition("@")
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, path = first, rest
    else:
        registry, path = DOCKER_HUB, name
    repository, _colon, tag = path.partition(":")
    if registry in DOCKER_HUB_NAMES:
        registry = DOCKER_HUB
        repository = repository if "/" in repository else f"library/{repository}"
    return Reference(registry, repository, tag or (None if digest else "latest"), digest or None)


def in_ecr_of(image: str, region: str) -> bool:
    """Whether the image is in ECR of the region, of whichever account."""
    found = ECR.fullmatch(image.partition("/")[0])
    return found is not None and found["region"] == region and "/" in image


def namespace(prefix: str, place: str) -> str:
    """What the names of all repositories of a place's cache begin with, before a slash: `<prefix>-<place>`, cut where that is too long."""
    name = f"{prefix}-{place}"
    if len(name) <= LONGEST_NAMESPACE:
        return name
    mark = _digest(name, 6)
    return f"{name[: LONGEST_NAMESPACE - 1 - len(mark)].rstrip('-')}-{mark}"


def pull_through(
    image: str,
    region: str,
    space: str,
    secret_arn: str | None = None,
    options: tuple[str, str] = ("container_image", "container_registry_secret_arn"),
) -> Cached | None:
    """How the place's ECR has the image: None where the image is in ECR of that region already, InputError where no rule can serve it.

    `space` is the place's namespace, `options` what image and secret are called. The rule of a registry has a prefix of its own, since
    CloudFormation replaces a rule whose registry or secret changes, and makes the new one before it deletes the old one.
    """
    option, secret_option = options
    if in_ecr_of(image, region):
        if secret_arn:
            raise InputError(secret_option, secret_arn, f"is of no use: {image} is in ECR of {region}")
        return None
    if partition_of(region) != "aws":
        raise InputError(option, image, f"cannot be pulled through ECR in {region}, which has no pull-through caches")
    reference = parse(image)
    upstream, account = _upstream(reference.registry, image, option)
    if upstream.needs_secret and not secret_arn:
        rule = f"must be given for {reference.registry}, whose images ECR pulls through with credentials only"
        raise InputError(secret_option, secret_arn, rule)
    if secret_arn and not upstream.needs_secret:
        raise InputError(secret_option, secret_arn, f"is of no use: ECR takes no credentials for {reference.registry}")
    if secret_arn:
        check_secret_arn(secret_arn, secret_option, region)
    if reference.tag is None:
        # aws/containers-roadmap#2837: ECR answers that an uncached digest does not exist.
        raise InputError(option, image, "needs a tag beside its digest: ECR pulls through by tag only")
    varying = secret_arn or (upstream.url if account else "")
    prefix = f"{space}/{_tail(upstream.word, varying)}"
    repository = f"{prefix}/{reference.repository}"
    if len(repository) > LONGEST_REPOSITORY or not REPOSITORY.fullmatch(repository):
        rule = f"makes {repository!r}, which is no name of a repository in ECR (lower case, at most {LONGEST_REPOSITORY} characters)"
        raise InputError(option, image, rule)
    return Cached(upstream.url, account, prefix, repository, reference.tag, reference.digest)


def _upstream(registry: str, image: str, option: str) -> tuple[Upstream, str | None]:
    ecr = ECR.fullmatch(registry)
    if ecr and partition_of(ecr["region"]) == "aws":
        return Upstream(registry, "ecr"), ecr["account"]
    if registry not in UPSTREAMS:
        known = ", ".join([*UPSTREAMS, "ECR of another region"])
        raise InputError(option, image, f"cannot be pulled through ECR, which does so from {known}")
    return UPSTREAMS[registry], None


def _tail(word: str, varying: str) -> str:
    return f"{word[: TAIL - 3]}{_digest(varying, 3)}" if varying else word


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def check_secret_arn(value: Any, option: str = "container_registry_secret_arn", region: str | None = None) -> str:
    """The ARN of a secret that ECR can read: its name and, if given, its region are the rule's (Amazon ECR user guide)."""
    if not isinstance(value, str) or not SECRET_ARN.fullmatch(value):
        rule = "must be the ARN of a secret in Secrets Manager whose name begins with ecr-pullthroughcache/"
        raise InputError(option, value, rule)
    return value if region is None else check_regional_arn(value, SECRET_ARN, option, "secret", region)


def check_wanted(params: Mapping[str, Any]) -> None:
    """The options of spot_image_cache, or InputError for what ECR would refuse."""
    for option, pattern, rule in (
        ("repository", REPOSITORY, "is no name of a repository in ECR"),
        ("tag", TAG, "is no image's tag"),
        ("digest", DIGEST, "must be sha256: and 64 hexadecimal digits"),
        ("namespace", REPOSITORY, "is no namespace of repositories in ECR"),
    ):
        value = params.get(option)
        if value is not None and not pattern.fullmatch(value):
            raise InputError(option, value, rule)


def image_id(tag: str, digest: str | None) -> dict[str, str]:
    """ECR's ImageIdentifier: by digest where there is one, since a tag may have moved."""
    return {"imageDigest": digest} if digest else {"imageTag": tag}


def refusal(answer: Mapping[str, Any], tag: str, digest: str | None) -> str | None:
    """Why BatchGetImage's answer for a tag means that the image will not come, for people; None if it will.

    ECR answers ImageNotFound to whoever may not import, too (Amazon ECR user guide, "Troubleshooting pull through cache issues"). A digest
    is the tag's own or, since all images of a list are imported with it, one of those that the list names.
    """
    for failure in answer.get("failures", []):
        code, reason = failure.get("failureCode", "Unknown"), failure.get("failureReason", "no reason given")
        hint = ": it is not there, or ecr:BatchImportUpstreamImage is not granted" if code == "ImageNotFound" else ""
        return f"{code}: {reason}{hint}"
    if digest is None:
        return None
    for image in answer.get("images", []):
        own = image.get("imageId", {}).get("imageDigest")
        if digest not in (own, *_listed(image.get("imageManifest"))):
            return f"tag {tag} is {own} by now"
    return None


def _listed(manifest: str | None) -> list[str]:
    """The digests of the images that a list of images names."""
    try:
        document = json.loads(manifest or "{}")
    except ValueError:
        return []
    entries = document.get("manifests") if isinstance(document, dict) else None
    return [entry["digest"] for entry in entries or [] if isinstance(entry, dict) and "digest" in entry]


def under(space: str, repositories: Iterable[str]) -> list[str]:
    """The repositories of a namespace, and no other's that begins alike."""
    return sorted(name for name in repositories if name.startswith(f"{space}/"))


def ecr_repository(image: str) -> str:
    """ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG as REGION:ACCOUNT:repository/NAME, empty for other registries."""
    registry, _slash, rest = image.partition("/")
    found, name = ECR.fullmatch(registry), re.match("[^:@]+", rest)
    return f"{found['region']}:{found['account']}:repository/{name[0]}" if found and name else ""
