# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls to ECR, one each. PRIVATE to the collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated

NO_REPOSITORY = "RepositoryNotFoundException"
NO_IMAGE = "ImageNotFoundException"
# As every client of registries asks: without them a registry may give one platform's image for a tag that has several.
MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


def describe_image(client: Any, repository: str, image_id: dict[str, str]) -> dict[str, Any] | None:
    """What ECR has itself of an image, nothing of an upstream; None if it has none."""
    try:
        return _describe_images(client, repository, image_id)[0]
    except AwsError as error:
        if error.code in (NO_REPOSITORY, NO_IMAGE):
            return None
        raise


@translated("describe the image in ECR")
def _describe_images(client: Any, repository: str, image_id: dict[str, str]) -> list[dict[str, Any]]:
    return client.describe_images(repositoryName=repository, imageIds=[image_id])["imageDetails"]


@translated("get the image through ECR")
def get_image(client: Any, repository: str, image_id: dict[str, str]) -> dict[str, Any]:
    """Read an image's manifest, which makes ECR import it where a pull-through rule serves the repository; `images` and `failures`."""
    return client.batch_get_image(repositoryName=repository, imageIds=[image_id], acceptedMediaTypes=list(MANIFESTS))


@translated("list the repositories in ECR")
def list_repositories(client: Any) -> list[str]:
    """The names of all of the account's in the region."""
    pages = client.get_paginator("describe_repositories").paginate()
    return [found["repositoryName"] for page in pages for found in page["repositories"]]


def delete_repository(client: Any, name: str) -> None:
    """Delete a repository with its images; one that is gone is fine."""
    try:
        _delete_repository(client, name)
    except AwsError as error:
        if error.code != NO_REPOSITORY:
            raise


@translated("delete the repository in ECR")
def _delete_repository(client: Any, name: str) -> None:
    client.delete_repository(repositoryName=name, force=True)
