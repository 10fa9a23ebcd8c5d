# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Render the template of role private_cluster as its role does, for clusters of every shape.

Usage: cluster_templates.py FOLDER writes each to FOLDER/NAME.template.
"""

from __future__ import annotations

import pathlib
import sys
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "roles/private_cluster/templates/cluster.template.j2"
FRONT = {"name": "front", "zone": "us-west-2a", "cidr": "10.0.0.0/24", "public": True}
BACK = {"name": "back", "zone": "us-west-2b", "cidr": "10.0.1.0/24"}
SHAPES = {
    "both": {"subnets": [FRONT, BACK]},
    "nat": {"subnets": [FRONT, BACK], "nat": True},
    "public": {"subnets": [FRONT]},
    "private": {"subnets": [BACK]},
    "closed": {"subnets": [BACK], "endpoints": False},
    "own": {
        "subnets": [{"name": "mine", "id": "subnet-0123456789abcdef0"}],
        "vpc_id": "vpc-0123456789abcdef0",
        "found_subnets": [
            {
                "id": "subnet-0123456789abcdef0",
                "vpc_id": "vpc-0123456789abcdef0",
                "availability_zone": "us-west-2a",
                "cidr_block": "10.0.0.0/24",
            }
        ],
        "route_tables": [],
    },
}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"


def render(shape: dict[str, Any]) -> str:
    """The template's text for a cluster with one node in its first subnet."""
    # ansible-core and the collection are found by whoever runs this.
    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar
    from ansible.template import trust_as_template

    from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.checks import check_cluster

    node = {"name": "node", "subnet": shape["subnets"][0]["name"], "instance_type": "t3.micro"}
    wish = {"region": "us-west-2", "home": "8.8.8.8", "public_key": KEY, "cidr": "10.0.0.0/16", "nodes": [node]}
    variables = {"private_cluster_checked": check_cluster({**wish, **shape}), "_private_cluster_name": "gpu-oregon"}
    templar = Templar(loader=DataLoader(), variables=variables)
    return templar.template(trust_as_template(TEMPLATE.read_text())).replace("KEY_NAME", "gpu-oregon-0a1b2c3d")


def main() -> None:
    sys.path.insert(0, str(ROOT / ".collections"))
    for name, shape in SHAPES.items():
        pathlib.Path(sys.argv[1], f"{name}.template").write_text(render(shape))


if __name__ == "__main__":
    main()
