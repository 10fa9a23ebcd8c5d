# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Canonical questions for placement scores, and their answers as they are kept for a day. PRIVATE to the collection.

AWS limits how many different questions a calling region is asked within 24 hours, and a question that was asked before is
free. So a question holds every allowed region whatever is excluded, sorted, and its capacity goes in steps.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.wish import LARGEST_CAPACITY
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.wish import Wish
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import partition_of

# A request names at most ten regions, and is answered with the ten best regions or zones at most (botocore model).
REGIONS_PER_REQUEST = 10
BEST_SCORE = 10
CHINA = "aws-cn"
# As long as AWS lets a question be asked again for free (EC2 user guide, spot placement score).
KEPT_SECONDS = 24 * 3600
SCHEMA_VERSION = 1
# The partition key of answers in the state table.
PARTITION = "scores"


@dataclass(frozen=True)
class Question:
    """One request for scores. In China a region is scored only where it is asked, so such a question names its caller."""

    regions: tuple[str, ...]
    instance_types: tuple[str, ...]
    target_capacity: int
    single_zone: bool

    @property
    def only_from(self) -> str | None:
        return self.regions[0] if partition_of(self.regions[0]) == CHINA else None

    def public(self) -> dict[str, Any]:
        """As plain JSON, and as its fingerprint sees it."""
        return {
            "regions": list(self.regions),
            "instance_types": list(self.instance_types),
            "target_capacity": self.target_capacity,
            "single_zone": self.single_zone,
        }


@dataclass(frozen=True)
class Score:
    """From 1 to 10, of a region, or of one of its zones. The two kinds assume different fleets and do not compare."""

    region: str
    zone_id: str | None
    score: int


@dataclass(frozen=True)
class Answer:
    """What AWS answered to a question: in seconds since 1970 when, and to a call in which region."""

    scores: tuple[Score, ...]
    asked_at: int
    asked_in: str
    kept: bool = False


def capacity_step(target_capacity: int) -> int:
    """The capacity to ask scores for: the next of 1, 2, 5, 10, 20, 50, ... so that growing a fleet a little is no new
    question."""
    step = 1
    while True:
        for digit in (1, 2, 5):
            if digit * step >= target_capacity:
                return min(digit * step, LARGEST_CAPACITY)
        step *= 10


def batches(regions: Iterable[str]) -> list[tuple[str, ...]]:
    """All regions, sorted, each once, in batches that one request can name."""
    every = sorted(set(regions))
    alone = [(region,) for region in every if partition_of(region) == CHINA]
    rest = iter([region for region in every if (region,) not in alone])
    return alone + list(iter(lambda: tuple(islice(rest, REGIONS_PER_REQUEST)), ()))


def questions(wish: Wish, unavailable: Iterable[str] = ()) -> list[Question]:
    """What to ask. Excluded places are in it; only regions that the account cannot use (`unavailable`) are left out, since
    one of them has the whole request refused."""
    return [
        Question(batch, tuple(wish.types), capacity_step(wish.target_capacity), wish.single_zone)
        for batch in batches(set(wish.regions) - set(unavailable))
    ]


def fingerprint(question: Question, endpoint: str) -> str:
    """The same for the same question to the same AWS; `endpoint` tells partitions and emulators apart."""
    canonical = json.dumps({**question.public(), "endpoint": endpoint}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def document(question: Question, answer: Answer) -> dict[str, Any]:
    """An answer as it is kept, plain JSON."""
    return {
        "schema_version": SCHEMA_VERSION,
        "question": question.public(),
        "scores": [vars(score) for score in answer.scores],
        "asked_at": answer.asked_at,
        "asked_in": answer.asked_in,
        "expires_at": answer.asked_at + KEPT_SECONDS,
    }


def answer_from(kept: Mapping[str, Any] | None, now: int) -> Answer | None:
    """The answer in a document, if it is younger than a day; None for whatever this version cannot use.

    A cache may hold anything, and asking again is always right.
    """
    try:
        if kept is None or kept["schema_version"] != SCHEMA_VERSION or not 0 <= now - kept["asked_at"] < KEPT_SECONDS:
            return None
        scores = tuple(Score(row["region"], row["zone_id"], row["score"]) for row in kept["scores"])
        answer = Answer(scores, kept["asked_at"], kept["asked_in"], kept=True)
    except (AttributeError, KeyError, TypeError):
        return None
    words = all(
        isinstance(row.region, str)
        and (row.zone_id is None or isinstance(row.zone_id, str))
        and isinstance(row.score, int)
        and 1 <= row.score <= BEST_SCORE
        for row in answer.scores
    )
    return answer if words and isinstance(answer.asked_at, int) and isinstance(answer.asked_in, str) else None
