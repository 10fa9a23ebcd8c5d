#!/usr/bin/python
# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: spot_validate
version_added: 0.1.0
short_description: Check an inventory without credentials
description:
  - Checks every C(spot_*) variable of every place, and the rules between variables and between places.
  - Makes no client, needs no credentials, no network and no AWS SDK.
  - Fails with all errors at once. Each names the place, the variable, its value and the rule it breaks; user data and the values of
    a container's environment are never shown.
  - What AWS alone knows, such as whether an image exists, is not checked here.
  - This is an action plugin. It runs on the controller and makes no connection.
author:
  - Ethereal Spot contributors (@ethereal-spot)
attributes:
  check_mode:
    support: full
    description: Only reads, so it runs in C(check_mode) as it does otherwise.
  diff_mode:
    support: N/A
    description: Changes nothing, so it has no difference to show.
  idempotent:
    support: N/A
    description: Changes nothing.
options:
  hub:
    description: The hub's place with its C(spot_*) variables, at most one. Left out, null or empty where there is no hub.
    type: dict
  places:
    description: The workers' places, each with its C(spot_*) variables. A variable that is null counts as not given.
    type: dict
"""

EXAMPLES = r"""
- name: Check two places with a hub
  ethereal.spot.spot_validate:
    hub:
      virginia:
        spot_prefix: ethereal
        spot_region: us-east-1
    places:
      tokyo:
        spot_prefix: ethereal
        spot_region: ap-northeast-1
        spot_instance_types: [g5.xlarge, g6.xlarge, g4dn.xlarge]
      us-west-2:
        spot_prefix: ethereal
        spot_replicas: 2
"""

RETURN = r"""
errors:
  description: Every broken rule, as place, variable, value and rule.
  returned: always
  type: list
  elements: str
  sample: ["tokyo: spot_disk_size: 0 must be a whole number from 1 to 65536"]
doubts:
  description: What is legal but likely a mistake, such as an unknown C(spot_*) variable. Shown as warnings as well.
  returned: always
  type: list
  elements: str
  sample: ["tokyo: spot_replica: is no variable of this collection; did you mean spot_replicas?"]
text:
  description: The same for people, as lines.
  returned: always
  type: list
  elements: str
  sample: ["2 places: 0 errors, 0 warnings"]
"""
