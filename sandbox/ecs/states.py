# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names that several parts of ECS share."""

from __future__ import annotations

LIVE = ("PROVISIONING", "PENDING", "ACTIVATING", "RUNNING")
WAITING = ("PROVISIONING", "PENDING", "ACTIVATING")
FARGATE = ("FARGATE", "FARGATE_SPOT")
DRAINING_HOOK = "ecs-managed-draining-termination-hook"
