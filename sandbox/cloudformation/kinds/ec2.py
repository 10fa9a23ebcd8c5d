# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kinds of EC2 share: they are described and tagged by their ids. moto holds them."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from sandbox.cloudformation.kinds.base import Call
from sandbox.cloudformation.kinds.base import Kind
from sandbox.cloudformation.kinds.base import Properties
from sandbox.cloudformation.kinds.base import first
from sandbox.cloudformation.kinds.base import is_gone
from sandbox.cloudformation.kinds.base import tag_changes
from sandbox.cloudformation.kinds.base import tag_list
from sandbox.cloudformation.kinds.base import tags_like


def tag_specifications(resource_type: str, properties: Properties) -> dict[str, Any]:
    tags = tag_list(properties.get("Tags"))
    return {"TagSpecifications": [{"ResourceType": resource_type, "Tags": tags}]} if tags else {}


class Ec2Kind(Kind):
    """A kind of EC2 whose physical id is the id that EC2 tags it by."""

    service = "ec2"
    # The member of the description that holds the list, the operation and its id argument.
    described: tuple[str, str, str]

    def retag(self, call: Call, resource: str, old: Properties, new: Properties) -> None:
        setting, removing = tag_changes(old.get("Tags"), new.get("Tags"))
        if removing:
            self.api(call).delete_tags(Resources=[resource], Tags=[{"Key": key} for key in removing])
        if setting:
            self.api(call).create_tags(Resources=[resource], Tags=tag_list(setting))

    def find(self, call: Call, physical: str) -> dict | None:
        method, argument, member = self.described
        try:
            return first(getattr(self.api(call), method)(**{argument: [physical]})[member])
        except ClientError as error:
            if is_gone(error):
                return None
            raise

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        found = self.find(call, physical)
        if found is None:
            return None
        actual = self.properties_of(call, found, expected)
        if self.schema.tags:
            actual["Tags"] = tags_like(found.get("Tags"), expected.get("Tags"))
        return actual

    def properties_of(self, call: Call, found: dict, expected: Properties) -> Properties:
        raise NotImplementedError

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        self.retag(call, physical, old, new)
