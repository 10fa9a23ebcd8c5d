# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps an account out of a region: vCPU quotas, and regions that it has not enabled. Sources: EC2 user guide, "Spot
Instance quotas" and "On-Demand Instance quotas"; botocore models; aws-cli#6132 and steampipe-plugin-aws#75."""

from __future__ import annotations

import pytest
from fleet_kit import Fleet
from fleet_kit import refused
from sandbox_process import Sandbox

G_SPOT, G_ON_DEMAND = "L-3819A6DF", "L-DB2E81BA"
P_SPOT, P5_SPOT = "L-7212CCBC", "L-C4BD4855"


@pytest.fixture
def fleet(sandbox: Sandbox) -> Fleet:
    return Fleet(sandbox)


def quotas(fleet: Fleet, region: str = "us-west-2"):
    return fleet.sandbox.client("service-quotas", region)


def listed(client, **page) -> dict[str, float]:
    pages = client.get_paginator("list_service_quotas").paginate(ServiceCode="ec2", PaginationConfig=page)
    return {quota["QuotaCode"]: quota["Value"] for page in pages for quota in page["Quotas"]}


# vCPU quotas


def test_a_quota_is_the_region_s_or_that_of_all(fleet: Fleet) -> None:
    fleet.market(quotas={G_SPOT: 64, "eu-west-1": {G_SPOT: 8}})
    for region, value in (("us-west-2", 64.0), ("eu-west-1", 8.0)):
        client = quotas(fleet, region)
        assert client.get_service_quota(ServiceCode="ec2", QuotaCode=G_SPOT)["Quota"]["Value"] == value
        assert listed(client)[G_SPOT] == value


def test_a_listing_comes_in_pages_and_holds_other_quotas_too(fleet: Fleet) -> None:
    client = quotas(fleet)
    first = client.list_service_quotas(ServiceCode="ec2", MaxResults=5)
    assert len(first["Quotas"]) == 5
    assert first["NextToken"]
    whole = listed(client)
    assert listed(client, PageSize=5) == whole
    assert {G_SPOT, G_ON_DEMAND, "L-0263D0A3"} <= set(whole)
    with refused("InvalidPaginationTokenException"):
        client.list_service_quotas(ServiceCode="ec2", NextToken="none")


def test_what_does_not_exist_is_no_resource(fleet: Fleet) -> None:
    with refused("NoSuchResourceException"):
        quotas(fleet).get_service_quota(ServiceCode="ec2", QuotaCode="L-00000000")
    with refused("NoSuchResourceException"):
        quotas(fleet).list_service_quotas(ServiceCode="ec3")


def test_the_default_is_what_a_new_account_has_whatever_this_one_has(fleet: Fleet) -> None:
    """User guide: 5 vCPUs of Standard, 0 of everything else."""
    fleet.market(quotas={G_SPOT: 64})
    for code, value in ((G_SPOT, 0), ("L-34B43A08", 5)):
        answer = quotas(fleet).get_aws_default_service_quota(ServiceCode="ec2", QuotaCode=code)
        assert answer["Quota"]["Value"] == value


def test_p5_shares_the_quota_of_all_p_unless_it_is_split(fleet: Fleet) -> None:
    client = quotas(fleet)
    name = client.get_service_quota(ServiceCode="ec2", QuotaCode=P_SPOT)["Quota"]["QuotaName"]
    assert name == "All P Spot Instance Requests"
    with refused("NoSuchResourceException"):
        client.get_service_quota(ServiceCode="ec2", QuotaCode=P5_SPOT)
    fleet.market(quotas={"us-west-2": {P5_SPOT: 192}})
    assert client.get_service_quota(ServiceCode="ec2", QuotaCode=P5_SPOT)["Quota"]["Value"] == 192
    name = client.get_service_quota(ServiceCode="ec2", QuotaCode=P_SPOT)["Quota"]["QuotaName"]
    assert name == "All P4, P3 and P2 Spot Instance Requests"
    assert P5_SPOT not in listed(quotas(fleet, "eu-west-1"))


def run(fleet: Fleet, instance_type: str, spot: bool = False, **options) -> str:
    """The id of one instance."""
    if spot:
        options["InstanceMarketOptions"] = {"MarketType": "spot"}
    launched = fleet.ec2.run_instances(
        ImageId=fleet.image["ImageId"], InstanceType=instance_type, MinCount=1, MaxCount=1, **options
    )
    return launched["Instances"][0]["InstanceId"]


def test_the_quota_that_is_told_is_the_one_that_binds(fleet: Fleet) -> None:
    """m7a.48xlarge has 192 vCPUs: 21 of them fit into 4,096."""
    standard = "L-34B43A08"
    assert quotas(fleet).get_service_quota(ServiceCode="ec2", QuotaCode=standard)["Quota"]["Value"] == 4096
    for _turn in range(21):
        run(fleet, "m7a.48xlarge", spot=True)
    with refused("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded"):
        run(fleet, "m7a.48xlarge", spot=True)
    run(fleet, "m7a.48xlarge")
    with refused("InvalidParameterValue", "q9.large"):
        run(fleet, "q9.large")


def test_each_market_is_refused_with_a_code_of_its_own(fleet: Fleet) -> None:
    fleet.market(quotas={G_SPOT: 4, G_ON_DEMAND: 8})
    run(fleet, "g5.xlarge", spot=True)
    with refused("MaxSpotInstanceCountExceeded"):
        run(fleet, "g4dn.xlarge", spot=True)
    run(fleet, "g5.2xlarge")
    with refused("VcpuLimitExceeded", "vCPU limit of 8 allows"):
        run(fleet, "g5.xlarge")
    run(fleet, "m5.large", spot=True)


def test_instances_tell_their_cores_and_threads_and_count_by_them(fleet: Fleet) -> None:
    fleet.market(quotas={G_SPOT: 4})
    template = fleet.template(
        InstanceType="g5.xlarge",
        CpuOptions={"CoreCount": 2, "ThreadsPerCore": 1},
        InstanceMarketOptions={"MarketType": "spot"},
    )
    launched = fleet.ec2.run_instances(LaunchTemplate={"LaunchTemplateId": template}, MinCount=1, MaxCount=1)
    single = fleet.instance(launched["Instances"][0]["InstanceId"])
    assert single["CpuOptions"] == {"CoreCount": 2, "ThreadsPerCore": 1}
    with refused("MaxSpotInstanceCountExceeded"):
        run(fleet, "g5.xlarge", spot=True)
    fleet.market(quotas={G_SPOT: 6})
    usual = fleet.instance(run(fleet, "g5.xlarge", spot=True))
    assert usual["CpuOptions"] == {"CoreCount": 2, "ThreadsPerCore": 2}


def test_spot_requests_are_active_while_their_instance_runs(fleet: Fleet) -> None:
    instance = run(fleet, "g5.xlarge", spot=True)
    active = [{"Name": "state", "Values": ["open", "active"]}]
    (request,) = fleet.ec2.describe_spot_instance_requests(Filters=active)["SpotInstanceRequests"]
    assert (request["InstanceId"], request["LaunchSpecification"]["InstanceType"]) == (instance, "g5.xlarge")
    fleet.ec2.terminate_instances(InstanceIds=[instance])
    assert fleet.ec2.describe_spot_instance_requests(Filters=active)["SpotInstanceRequests"] == []


# Regions


def statuses(fleet: Fleet, **request) -> dict[str, str]:
    return {each["RegionName"]: each["OptInStatus"] for each in fleet.ec2.describe_regions(**request)["Regions"]}


def test_regions_that_are_not_enabled_are_told_of_only_when_asked_for(fleet: Fleet) -> None:
    """botocore model: DescribeRegions AllRegions."""
    usual = statuses(fleet)
    assert set(usual.values()) == {"opt-in-not-required"}
    assert {"us-east-1", "us-west-2", "eu-west-1"} <= set(usual)
    every = statuses(fleet, AllRegions=True)
    assert every["af-south-1"] == "not-opted-in"
    assert every["us-east-1"] == "opt-in-not-required"
    assert statuses(fleet, RegionNames=["af-south-1"]) == {"af-south-1": "not-opted-in"}
    # Other partitions are other accounts' (AWS general reference).
    assert not [region for region in every if region.startswith(("cn-", "us-gov-"))]


def test_the_market_opts_in_and_out(fleet: Fleet) -> None:
    fleet.market(opt_in={"af-south-1": True, "eu-west-1": False})
    found = statuses(fleet)
    assert found["af-south-1"] == "opted-in"
    assert "eu-west-1" not in found
    assert statuses(fleet, Filters=[{"Name": "opt-in-status", "Values": ["opted-in"]}]) == {"af-south-1": "opted-in"}
    fleet.market(opt_in=None)
    assert statuses(fleet)["eu-west-1"] == "opt-in-not-required"


def test_the_account_service_tells_the_same(fleet: Fleet) -> None:
    """botocore model: Account, ListRegions. The way out where DescribeRegions is denied (mql#5143)."""
    fleet.market(opt_in={"af-south-1": True, "eu-west-1": False})
    client = fleet.sandbox.client("account", "us-east-1")
    pages = client.get_paginator("list_regions").paginate(PaginationConfig={"PageSize": 10})
    found = {each["RegionName"]: each["RegionOptStatus"] for page in pages for each in page["Regions"]}
    assert set(found) == set(statuses(fleet, AllRegions=True))
    assert (found["af-south-1"], found["eu-west-1"], found["us-west-2"]) == (
        "ENABLED",
        "DISABLED",
        "ENABLED_BY_DEFAULT",
    )
    enabled = client.list_regions(RegionOptStatusContains=["ENABLED"])["Regions"]
    assert [each["RegionName"] for each in enabled] == ["af-south-1"]


def test_unknown_regions_and_filters_are_refused(fleet: Fleet) -> None:
    with refused("InvalidParameterValue", "nowhere-1"):
        fleet.ec2.describe_regions(RegionNames=["nowhere-1"])
    with refused("InvalidParameterValue", "mood"):
        fleet.ec2.describe_regions(Filters=[{"Name": "mood", "Values": ["good"]}])


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("ec2", "describe_vpcs", "AuthFailure"),
        ("autoscaling", "describe_auto_scaling_groups", "InvalidClientTokenId"),
        ("ecs", "list_clusters", "UnrecognizedClientException"),
        ("efs", "describe_file_systems", "UnrecognizedClientException"),
    ],
)
def test_a_region_that_is_not_enabled_does_not_know_the_account(
    fleet: Fleet, service: str, operation: str, code: str
) -> None:
    with refused(code):
        getattr(fleet.sandbox.client(service, "af-south-1"), operation)()
    fleet.market(opt_in={"af-south-1": True})
    getattr(fleet.sandbox.client(service, "af-south-1"), operation)()


def test_a_region_that_is_not_enabled_cannot_be_scored(fleet: Fleet) -> None:
    request = {"TargetCapacity": 1, "InstanceTypes": ["c5.large", "m5.large", "r5.large"]}
    with refused("InvalidParameterValue", "af-south-1"):
        fleet.ec2.get_spot_placement_scores(RegionNames=["af-south-1", "us-west-2"], **request)
    fleet.market(opt_in={"af-south-1": True}, scores={"af-south-1": 9})
    scores = fleet.ec2.get_spot_placement_scores(RegionNames=["af-south-1", "us-west-2"], **request)
    assert scores["SpotPlacementScores"][0] == {"Region": "af-south-1", "Score": 9}
