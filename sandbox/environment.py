# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What both emulators read from the environment when they are imported: set before the first import of either."""

from __future__ import annotations

import os
import tempfile

ACCOUNT = "123456789012"
ROOT_KEY = "testing"
ROOT_SECRET = "testing"

# The sandbox must not be steered by the user's own AWS settings: a profile or an endpoint would send its calls elsewhere.
_FOREIGN = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL",
    "AWS_CA_BUNDLE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "MOTO_ENABLE_ISO_REGIONS",
    "MOTO_ALLOW_NONEXISTENT_REGION",
    "SERVICES",
    "USE_SSL",
    "LOCALSTACK_PERSISTENCE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
)


def prepare(port: int) -> str:
    """Set the emulators' settings for this port and return the process's own scratch directory.

    The directory holds what ministack unpacks for Lambda functions; whoever ends the process removes it.
    """
    for name in list(os.environ):
        if name.upper() in _FOREIGN or name.startswith("AWS_ENDPOINT_URL_"):
            del os.environ[name]
    scratch = tempfile.mkdtemp(prefix="ethereal-sandbox-")
    tempfile.tempdir = scratch
    os.environ.update(
        {
            "TMPDIR": scratch,
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MOTO_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": "us-east-1",
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": ROOT_KEY,
            "AWS_SECRET_ACCESS_KEY": ROOT_SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "PERSIST_STATE": "0",
            "S3_PERSIST": "0",
            "S3_DATA_DIR": os.path.join(scratch, "s3"),
            "NO_PROXY": "127.0.0.1,localhost",
            # Functions run in worker processes of this one, never in containers.
            "LAMBDA_EXECUTOR": "local",
        }
    )
    os.environ.setdefault("LOG_LEVEL", "CRITICAL")
    return scratch
