# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks for placement scores at most once a day and question, and hands out the answers. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Protocol

from ansible_collections.ethereal.spot.plugins.module_utils._aws import spot_market
from ansible_collections.ethereal.spot.plugins.module_utils._aws.concurrency import gather
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.scores import BEST_SCORE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.scores import Answer
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.scores import Question
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.scores import answer_from
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.scores import document
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.scores import fingerprint

USED_UP = "MaxConfigLimitExceeded"
# An EC2 refusal ends in a blob of a kilobyte or more, which only sts:DecodeAuthorizationMessage can read.
ENCODED = " Encoded authorization failure message:"


class Cache(Protocol):
    """Where answers are kept by fingerprint: `TableCache` or `FileCache`. Both raise AwsError or OSError."""

    placement: Mapping[str, Mapping[str, int]]

    def read(self, fingerprints: Collection[str]) -> Mapping[str, Mapping[str, Any]]: ...

    def write(self, fingerprint: str, document: Mapping[str, Any]) -> None: ...


class Broker:
    """`answers` by question, `problems` of those that AWS refused, and `notes`: what failed beside that.

    Each is there as soon as it is known, so that a question that hangs costs only itself. `calling` are the regions to call,
    in order: the next is called where one has used up its questions or denies the call.
    """

    def __init__(
        self,
        client: Callable[[str], Any],
        calling: Sequence[str],
        cache: Cache | None,
        now: int,
        refresh: bool = False,
        keep: bool = True,
    ) -> None:
        self._client = client
        self._calling = list(dict.fromkeys(calling))
        self._cache = cache
        self._now = now
        self._refresh = refresh
        self._keep = keep
        self.answers: dict[Question, Answer] = {}
        self.problems: dict[Question, str] = {}
        self.notes: list[str] = []

    @property
    def placement(self) -> Mapping[str, Mapping[str, int]]:
        """What the state that the cache is in says is placed now."""
        return self._cache.placement if self._cache else {}

    def ask(self, questions: Sequence[Question], seconds: float) -> None:
        """Answer the questions, from the cache or by AWS, all at once."""
        endpoint = self._client(self._calling[0]).meta
        # Partitions and emulators have endpoints of their own; which region of a partition is called makes no difference.
        name = endpoint.endpoint_url.replace(endpoint.region_name, "*")
        prints = {question: fingerprint(question, name) for question in questions}
        kept = self._kept(list(prints.values()))
        for question in questions:
            answer = None if self._refresh else answer_from(kept.get(prints[question]), self._now)
            if answer is not None:
                self.answers[question] = answer
        missing = [question for question in questions if question not in self.answers]
        gather({each: lambda each=each: self._ask(each, prints[each]) for each in missing}, seconds)

    def _kept(self, fingerprints: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        try:
            return self._cache.read(fingerprints) if self._cache else {}
        except (AwsError, OSError) as error:
            self.notes.append(f"kept scores could not be read: {_told(error)}")
            return {}

    def _ask(self, question: Question, key: str) -> None:
        for region in [question.only_from] if question.only_from else self._calling:
            try:
                found = spot_market.placement_scores(self._client(region), question)
            except AwsError as error:
                told = f"{problem_text(error)} (asked in {region})"
                self.problems[question] = "; ".join(filter(None, (self.problems.get(question), told)))
                if error.code != USED_UP and not error.denied:
                    return
                continue
            answer = Answer(tuple(score for score in found if 1 <= score.score <= BEST_SCORE), self._now, region)
            self.answers[question] = answer
            self._put(key, question, answer)
            return

    def _put(self, key: str, question: Question, answer: Answer) -> None:
        if self._cache is None or not self._keep:
            return
        try:
            self._cache.write(key, document(question, answer))
        except (AwsError, OSError) as error:
            self.notes.append(f"scores could not be kept: {_told(error)}")


def problem_text(error: AwsError) -> str:
    """AWS's code and message in one line."""
    return f"{error.code}: {error.reason.partition(ENCODED)[0]}"


def _told(error: AwsError | OSError) -> str:
    return problem_text(error) if isinstance(error, AwsError) else str(error)
