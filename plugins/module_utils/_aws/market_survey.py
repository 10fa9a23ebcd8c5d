# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The market of every region at once, each answering for itself, and what the deployment remembers. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from datetime import datetime
from datetime import timedelta
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws import quotas
from ansible_collections.ethereal.spot.plugins.module_utils._aws import spot_market
from ansible_collections.ethereal.spot.plugins.module_utils._aws import state_table
from ansible_collections.ethereal.spot.plugins.module_utils._aws.concurrency import gather
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.on_demand_prices import on_demand_prices
from ansible_collections.ethereal.spot.plugins.module_utils._aws.price_history import price_history
from ansible_collections.ethereal.spot.plugins.module_utils._aws.price_list import pricing_region
from ansible_collections.ethereal.spot.plugins.module_utils._aws.score_broker import Broker
from ansible_collections.ethereal.spot.plugins.module_utils._aws.score_broker import problem_text
from ansible_collections.ethereal.spot.plugins.module_utils._aws.state_store import Store
from ansible_collections.ethereal.spot.plugins.module_utils._brain import losses
from ansible_collections.ethereal.spot.plugins.module_utils._brain import state
from ansible_collections.ethereal.spot.plugins.module_utils._brain.advisor import Advice
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.names import table_name
from ansible_collections.ethereal.spot.plugins.module_utils._brain.price_window import PriceWindow
from ansible_collections.ethereal.spot.plugins.module_utils._brain.price_window import price_windows
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import quota_codes
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking import scores
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.survey import Memory
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.survey import PoolKey
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.survey import Survey
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.wish import Wish
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import partition_of

# In EC2's words, then in those of the account service.
USABLE = frozenset({"opt-in-not-required", "opted-in", "ENABLED", "ENABLED_BY_DEFAULT"})
# What each part of a survey is asked by. `market` is a region's own condition, the others only make less known.
MARKET = "market"
LIMITS = "limits"
IN_USE = "in_use"
VCPUS = "vcpus"
SCORES = "scores"
ON_DEMAND = "on_demand"
LEDGER = "ledger"
LOSSES = "losses"
ADVICE = "advice"
# With a window of nothing, what is in force still takes a start before its end.
SHORTEST_WINDOW = timedelta(seconds=1)


@dataclass(frozen=True)
class Sources:
    """Whom to ask: `client` gives a client by service and region, `calling_region` is asked for scores and the account's regions.

    `prefix` and `hub_region` say where the state table is, if there is one; `advice` gives the Spot Advisor's data by region and
    type, and a note where they could not be had.
    """

    client: Callable[[str, str], Any]
    calling_region: str
    broker: Broker
    prefix: str | None = None
    hub_region: str | None = None
    advice: Callable[[], tuple[Mapping[str, Mapping[str, Advice]], str | None]] | None = None


def survey_market(
    sources: Sources, wish: Wish, now: datetime, seconds: float
) -> tuple[dict[str, Survey], Memory, list[str]]:
    """Ask everyone at once, all within `seconds`. Returns what each region answered, what the deployment remembers, and notes
    on what of it is not known.

    No error of AWS leaves this function: it is the region's `problem`, or a problem of that part of its survey.
    """
    statuses: dict[str, str] = {}
    tasks: dict[Any, Callable[[], Any]] = {}
    for region in wish.regions:
        tasks[region, MARKET] = lambda region=region: _market(sources.client("ec2", region), wish, now)
        if wish.check_quota:
            codes = quota_codes(wish.types, [wish.market])
            tasks[region, LIMITS] = lambda region=region, codes=codes: quotas.vcpu_quotas(
                sources.client("service-quotas", region), codes
            )
            tasks[region, IN_USE] = lambda region=region: quotas.vcpus_in_use(sources.client("ec2", region))
            tasks[region, VCPUS] = lambda region=region: quotas.type_vcpus(sources.client("ec2", region), wish.types)
    if wish.on_demand_prices:
        for partition in {partition_of(region) for region in wish.regions}:
            tasks[ON_DEMAND, partition] = lambda partition=partition: _on_demand(sources, wish, partition)
    tasks[SCORES] = lambda: _account(sources, wish, statuses, seconds)
    if sources.prefix:
        tasks[LEDGER] = lambda: Store(_table_client(sources), sources.prefix).ledger(int(now.timestamp()))
        tasks[LOSSES] = lambda: _losses(_table_client(sources), sources.prefix)
    if sources.advice:
        tasks[ADVICE] = sources.advice
    answers = gather(tasks, seconds)
    notes = list(sources.broker.notes)
    advice, note = _told(answers, ADVICE, ({}, None), notes, "Spot Advisor")
    notes += filter(None, [note])
    memory = Memory(
        int(now.timestamp()),
        _told(answers, LEDGER, {}, notes, "failure ledger"),
        _told(answers, LOSSES, {}, notes, "losses seen so far"),
        sources.broker.placement,
    )
    asked = _asked(sources.broker, wish, statuses, answers[SCORES])
    return {region: _survey(region, answers, statuses, asked, advice, wish) for region in wish.regions}, memory, notes


def _told(answers: Mapping[Any, Any], key: str, otherwise: Any, notes: list[str], what: str) -> Any:
    """An answer; or the stand-in, and a note where it was asked for in vain."""
    answer = answers.get(key, otherwise)
    if isinstance(answer, AwsError):
        notes.append(f"{what} unknown: {problem_text(answer)}")
        return otherwise
    return answer


def _table_client(sources: Sources) -> Any:
    return sources.client("dynamodb", sources.hub_region)


def _losses(client: Any, prefix: str) -> dict[PoolKey, losses.Observed]:
    try:
        documents = state_table.query_documents(client, table_name(prefix), losses.PARTITION)
    except AwsError as error:
        if error.code != state_table.NO_TABLE:
            raise
        return {}
    state.check_versions(documents)
    return losses.observed(documents)


def _account(sources: Sources, wish: Wish, statuses: dict[str, str], seconds: float) -> None:
    """Which regions the account can use, then the scores of those: one that it cannot would have a whole request refused."""
    try:
        statuses.update(spot_market.opt_in_statuses(sources.client("ec2", sources.calling_region)))
    except AwsError:
        try:
            statuses.update(spot_market.account_region_statuses(sources.client("account", sources.calling_region)))
        except AwsError:
            # An organisation may deny both; the regions' own answers must then do.
            statuses.clear()
    questions = scores.questions(wish, [each for each in wish.regions if _enabled(each, statuses) is False])
    sources.broker.ask(questions if wish.spot else [], seconds)


def _enabled(region: str, statuses: Mapping[str, str]) -> bool | None:
    return statuses.get(region) in USABLE if statuses else None


def _market(client: Any, wish: Wish, now: datetime) -> dict[str, Any]:
    """`offers` by zone id, `prices` by zone id and type, and the account's `zones` as far as they are needed."""
    offers = spot_market.offered_types(client, wish.types)
    offered = sorted(frozenset().union(*offers.values()))
    if not offered:
        return {"offers": {}, "prices": {}, "zones": {}}
    if not wish.spot:
        return {"offers": offers, "prices": {}, "zones": _names(client)}
    products = [wish.product_description, f"{wish.product_description} (Amazon VPC)"]
    start = now - max(timedelta(days=wish.window_days), SHORTEST_WINDOW)
    records = price_history(client, offered, products, start, now)
    try:
        windows = list(price_windows(records, start, now).values())
    except InputError as error:
        # One region's broken answer is that region's problem.
        raise AwsError("read spot prices", "UnreadableAnswer", error.message) from error
    return {"offers": offers, **_by_zone_id(client, windows)}


def _names(client: Any) -> dict[str, str]:
    """Names of zones, where nothing but a name is lost without them."""
    try:
        return spot_market.zone_names(client)
    except AwsError:
        return {}


def _by_zone_id(client: Any, windows: list[PriceWindow]) -> dict[str, Any]:
    """Price records name zones as this account does, and newer ones tell the id as well."""
    if all(window.zone_id for window in windows):
        zones = {window.zone_id: window.zone for window in windows}
    else:
        zones = spot_market.zone_names(client)
    ids = {name: zone_id for zone_id, name in zones.items()}
    prices = {(ids[window.zone], window.instance_type): window for window in windows if window.zone in ids}
    return {"zones": zones, "prices": prices}


def _on_demand(sources: Sources, wish: Wish, partition: str) -> dict[str, dict[str, Any]]:
    where = pricing_region(partition)
    if where is None:
        raise AwsError("read on-demand prices", "NoPriceList", f"partition {partition} has no Price List API")
    regions = [region for region in wish.regions if partition_of(region) == partition]
    return on_demand_prices(sources.client("pricing", where), regions, wish.types, wish.product_description)


def _asked(broker: Broker, wish: Wish, statuses: Mapping[str, str], end: Any) -> dict[str, dict[str, Any]]:
    """What each region's survey holds of the scores."""
    if not wish.spot:
        return {}
    late = problem_text(end) if isinstance(end, AwsError) else None
    questions = scores.questions(wish, [each for each in wish.regions if _enabled(each, statuses) is False])
    found: dict[str, dict[str, Any]] = {}
    for question in questions:
        answer = broker.answers.get(question)
        for region in question.regions:
            if answer is None:
                found[region] = {"score_problem": broker.problems.get(question) or late}
                continue
            given = {row.zone_id: row.score for row in answer.scores if row.region == region}
            found[region] = {"scores": given, "asked_in": answer.asked_in, "kept": answer.kept}
            found[region]["asked_at"] = answer.asked_at
            if not given:
                found[region]["score_problem"] = "AWS named other zones as its ten best" if wish.single_zone else None
    return found


def _survey(
    region: str,
    answers: Mapping[Any, Any],
    statuses: Mapping[str, str],
    asked: Mapping[str, Mapping[str, Any]],
    advice: Mapping[str, Mapping[str, Advice]],
    wish: Wish,
) -> Survey:
    survey = Survey(
        region,
        enabled=_enabled(region, statuses),
        enabled_word=statuses.get(region),
        advice=advice.get(region, {}),
        **asked.get(region, {}),
    )
    on_demand = answers.get((ON_DEMAND, partition_of(region)), {})
    if isinstance(on_demand, AwsError):
        survey = replace(survey, on_demand_problem=problem_text(on_demand))
    else:
        survey = replace(survey, on_demand=on_demand.get(region, {}))
    if wish.check_quota:
        parts = {part: answers[region, part] for part in (LIMITS, IN_USE, VCPUS)}
        failed = [problem_text(part) for part in parts.values() if isinstance(part, AwsError)]
        known = {name: part for name, part in parts.items() if not isinstance(part, AwsError)}
        survey = replace(survey, **known, quota_problem="; ".join(dict.fromkeys(failed)) or None)
    market = answers[region, MARKET]
    if isinstance(market, AwsError):
        return replace(survey, problem=problem_text(market))
    return replace(survey, **market)
