# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything back to the start: both emulators empty in all regions, then the seeds."""

from __future__ import annotations

import threading

from ministack import app as ministack
from moto.autoscaling.models import autoscaling_backends
from moto.ec2.models import ec2_backends

from sandbox import parts
from sandbox.context import Context

_LOCK = threading.Lock()


def reset(context: Context) -> None:
    """Clear market, faults, calls, timers and all state, and seed anew."""
    with _LOCK:
        context.forget()
        with context.moto_lock:
            for backends in (autoscaling_backends, ec2_backends):
                backends.reset()
        ministack._reset_all_state()
        parts.reset(context)
        # What was under way while the emulators were cleared has logged its calls.
        context.calls.reset()
