# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several calls at once, under one deadline. PRIVATE to the collection."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from collections.abc import Hashable
from collections.abc import Mapping
from typing import Any
from typing import TypeVar

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError

K = TypeVar("K", bound=Hashable)

DEADLINE = "DeadlineExceeded"


def gather(tasks: Mapping[K, Callable[[], Any]], seconds: float) -> dict[K, Any]:
    """Run every task in a thread of its own. Each key gets what its task returned, or the AwsError that it raised, or
    one with code DeadlineExceeded if it has not ended in time.

    The threads are daemons: one that hangs holds neither the others nor the end of the process. Anything else that a
    task raises is our mistake and is raised here.
    """
    ended: dict[K, Any] = {}
    mistakes: list[BaseException] = []
    change = threading.Condition()

    def run(key: K, task: Callable[[], Any]) -> None:
        outcome = None
        try:
            outcome = task()
        except AwsError as error:
            outcome = error
        except BaseException as error:
            with change:
                mistakes.append(error)
        with change:
            ended[key] = outcome
            change.notify()

    for key, task in tasks.items():
        threading.Thread(target=run, args=(key, task), daemon=True).start()
    deadline = time.monotonic() + seconds
    with change:
        change.wait_for(lambda: mistakes or len(ended) == len(tasks), timeout=deadline - time.monotonic())
        if mistakes:
            raise mistakes[0]
        late = AwsError("wait for an answer", DEADLINE, f"no answer within {seconds:g} seconds")
        return {key: ended.get(key, late) for key in tasks}
