# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EC2: key pairs. A public key is imported; a key that CloudFormation would make itself is not served."""

from __future__ import annotations

from typing import Any

from sandbox.cloudformation.kinds.base import Call
from sandbox.cloudformation.kinds.base import Properties
from sandbox.cloudformation.kinds.base import gone_is_fine
from sandbox.cloudformation.kinds.ec2 import Ec2Kind
from sandbox.cloudformation.kinds.ec2 import tag_specifications


class KeyPair(Ec2Kind):
    kind = "AWS::EC2::KeyPair"
    described = "describe_key_pairs", "KeyNames", "KeyPairs"

    def create(self, call: Call, wanted: Properties) -> str:
        material = wanted["PublicKeyMaterial"].encode()
        self.api(call).import_key_pair(
            KeyName=wanted["KeyName"], PublicKeyMaterial=material, **tag_specifications("key-pair", wanted)
        )
        return wanted["KeyName"]

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_key_pair, KeyName=physical)

    def properties_of(self, call: Call, found: dict, expected: Properties) -> Properties:
        # The key comes back without its comment (EC2 API reference, DescribeKeyPairs, IncludePublicKey).
        shown = self.api(call).describe_key_pairs(KeyNames=[found["KeyName"]], IncludePublicKey=True)["KeyPairs"][0]
        wanted, key = expected.get("PublicKeyMaterial") or "", shown["PublicKey"].strip()
        same = wanted.split()[:2] == key.split()[:2]
        return {"KeyName": found["KeyName"], "PublicKeyMaterial": wanted if same else key}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        found = self.find(call, physical) or {}
        return {"KeyPairId": found.get("KeyPairId", ""), "KeyFingerprint": found.get("KeyFingerprint", "")}


KINDS = (KeyPair,)
