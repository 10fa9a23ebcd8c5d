# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action of module spot_image_cache: in the controller's process where that comes to the same."""

from __future__ import annotations

from ansible_collections.ethereal.spot.plugins.modules import spot_image_cache
from ansible_collections.ethereal.spot.plugins.plugin_utils.in_process import InProcessAction


class ActionModule(InProcessAction):
    code = spot_image_cache
