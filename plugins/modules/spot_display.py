#!/usr/bin/python
# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: spot_display
version_added: 0.1.0
short_description: Print a text as it is
description:
  - Prints lines below the task's name without quoting them, so that a table looks like a table with any callback.
  - This is an action plugin. It runs on the controller and makes no connection.
author:
  - Ethereal Spot contributors (@ethereal-spot)
options:
  lines:
    description: The lines to print.
    type: list
    elements: str
    required: true
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the changes it would make, without making them.
    support: full
  diff_mode:
    description: Returns the state before and after the change when run with C(--diff).
    support: N/A
    details: Changes nothing.
"""

EXAMPLES = r"""
- name: Rank the regions
  ethereal.spot.spot_region_rank:
    regions: [us-west-2, eu-west-1]
    region: us-east-1
  register: rank

- name: Show the ranking
  ethereal.spot.spot_display:
    lines: "{{ rank.text }}"
"""

RETURN = r"""#"""
