# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the Spot Instance Advisor's data come from: a file or the web. PRIVATE to the collection."""

from __future__ import annotations

import http.client
import ipaddress
import os
import socket
import time
from typing import Any
from urllib.parse import SplitResult
from urllib.parse import urlsplit

from ansible.module_utils.urls import ConnectionError as TransportError
from ansible.module_utils.urls import open_url

from ansible_collections.ethereal.spot.plugins.module_utils._brain.advisor import LARGEST_BYTES
from ansible_collections.ethereal.spot.plugins.module_utils._brain.advisor import OPTION
from ansible_collections.ethereal.spot.plugins.module_utils._brain.advisor import Advice
from ansible_collections.ethereal.spot.plugins.module_utils._brain.advisor import read_advice
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

TIMEOUT = 20
CHUNK = 256 * 1024
# Where EC2, ECS and EKS answer a machine with its own credentials (EC2 user guide, "Access instance metadata").
METADATA = (ipaddress.ip_network("169.254.0.0/16"), ipaddress.ip_network("fd00:ec2::/32"))


def read_advisor(
    module: Any, source: str, product_description: str = "Linux/UNIX"
) -> tuple[dict[str, dict[str, Advice]], str | None]:
    """Advice by region and type from a file's path or an http or https URL; or none, and a warning that says why.

    Data that can be had but not read, and a source that may not be asked, raise InputError.
    """
    try:
        address = urlsplit(source)
    except ValueError:
        raise InputError(OPTION, "a URL", "must be a file's path or an http or https URL") from None
    try:
        content = _download(module, source, address) if address.scheme else _file(source)
    except (OSError, http.client.HTTPException, TransportError) as error:
        return {}, f"{OPTION}: could not read {_shown(source, address)}: {_reason(error)}"
    return read_advice(content, product_description), None


def _reason(error: Exception) -> str:
    """The status of an answer, the transport's word, or the kind of error."""
    for attribute in ("code", "reason", "strerror"):
        if getattr(error, attribute, None):
            return str(getattr(error, attribute))
    return str(error) or type(error).__name__


def _file(path: str) -> bytes:
    path = os.path.expanduser(path)
    if os.path.exists(path) and not os.path.isfile(path):
        raise InputError(OPTION, path, "must be a regular file")
    with open(path, "rb") as file:
        return file.read(LARGEST_BYTES + 1)


def _download(module: Any, url: str, address: SplitResult) -> bytes:
    if address.scheme not in ("http", "https") or not address.hostname:
        raise InputError(OPTION, _shown(url, address), "must be a file's path or an http or https URL")
    if any(_is_metadata(host) for host in _addresses(address.hostname)):
        raise InputError(OPTION, _shown(url, address), "is an address of instance metadata")
    deadline = time.monotonic() + TIMEOUT
    content = bytearray()
    # A redirect would lead past the check above.
    with open_url(
        url,
        timeout=TIMEOUT,
        follow_redirects="none",
        validate_certs=module.params.get("validate_certs") is not False,
    ) as answer:
        while len(content) <= LARGEST_BYTES and (chunk := answer.read(CHUNK)):
            content += chunk
            if time.monotonic() > deadline:
                raise TimeoutError(f"no whole answer within {TIMEOUT} seconds")
    return bytes(content)


def _addresses(host: str) -> list[str]:
    """What a host's name means, also one that is a number. None where only a proxy knows the name."""
    try:
        return [entry[4][0] for entry in socket.getaddrinfo(host, None)]
    except (OSError, UnicodeError):
        return []


def _is_metadata(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found in network for network in METADATA)


def _shown(source: str, address: SplitResult) -> str:
    """A source without what may be secret in a URL: user, password and query."""
    return f"{address.scheme}://{address.hostname}{address.path}" if address.scheme else source
