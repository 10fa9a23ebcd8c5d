# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attributes that every module of the collection declares."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the changes it would make, without making them.
  diff_mode:
    description: Returns the state before and after the change when run with C(--diff).
  idempotent:
    description: A second run with the same options on an unchanged account reports no change.
  action_group:
    description: One C(module_defaults) entry for C(group/ethereal.spot.spot) reaches this module.
    support: full
    membership:
      - ethereal.spot.spot
"""

    # For modules that only read.
    INFO = r"""
options: {}
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
  action_group:
    description: One C(module_defaults) entry for C(group/ethereal.spot.spot) reaches this module.
    support: full
    membership:
      - ethereal.spot.spot
"""
