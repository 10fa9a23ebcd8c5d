# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EC2 on moto, with the spot behaviour that it lacks."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2 import utils
from moto.ec2.models import iam_instance_profile
from moto.ec2.responses import EC2Response
from moto.ec2.responses import instances as instance_responses

from sandbox.ec2 import instances
from sandbox.ec2 import lookups
from sandbox.ec2 import nat
from sandbox.ec2 import network
from sandbox.ec2 import settings
from sandbox.ec2 import spot_requests
from sandbox.ec2 import tags
from sandbox.ec2 import templates
from sandbox.ec2.instances import Instances
from sandbox.ec2.prices import Prices
from sandbox.ec2.regions import Regions
from sandbox.ec2.scores import Scores
from sandbox.ec2.spot_requests import SpotRequests

if TYPE_CHECKING:
    from sandbox.context import Context

NEEDS = [
    *instances.NEEDS,
    *lookups.NEEDS,
    *nat.NEEDS,
    *network.NEEDS,
    *tags.NEEDS,
    *templates.NEEDS,
    "moto.ec2.utils.filter_iam_instance_profiles",
    "moto.ec2.models.iam_instance_profile.filter_iam_instance_profiles",
    "moto.ec2.responses.instances.filter_iam_instance_profiles",
    "moto.ec2.responses.EC2Response._filters_from_querystring",
    "moto.ec2.responses.EC2Response.error_on_dryrun",
]


class _Parts:
    """What the package holds between requests."""

    requests: SpotRequests
    scores: Scores
    instances: Instances


def _answered_by(part: Prices | Regions | Scores) -> Callable[[Any], ActionResult]:
    """A method for moto's response class: a bound method of ours would not be given the response."""

    def action(self: Any) -> ActionResult:
        return part.action(self)

    return action


def install(context: Context) -> None:
    _Parts.requests, _Parts.scores = SpotRequests(), Scores(context)
    _Parts.instances = Instances(context, _Parts.requests)
    _Parts.instances.install()
    templates.install()
    nat.install(context)
    network.install()
    tags.install()
    for module in (utils, iam_instance_profile, instance_responses):
        module.filter_iam_instance_profiles = _profiles
    actions: dict[str, Any] = {
        **templates.ACTIONS,
        **settings.ACTIONS,
        **spot_requests.actions(_Parts.requests),
        "describe_regions": _answered_by(Regions(context)),
        "describe_spot_price_history": _answered_by(Prices(context)),
        "get_spot_placement_scores": _answered_by(_Parts.scores),
    }
    for name, function in actions.items():
        setattr(EC2Response, name, function)


def reset(context: Context) -> None:
    _Parts.requests.reset()
    _Parts.scores.reset()


def instances_of() -> Instances:
    """The launcher and terminator that Auto Scaling and ECS use as well."""
    return _Parts.instances


def _profiles(
    account_id: str, partition: str, iam_instance_profile_arn: str | None, iam_instance_profile_name: str | None
) -> SimpleNamespace:
    return lookups.instance_profile(iam_instance_profile_name, iam_instance_profile_arn)
