# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from decimal import Decimal

import botocore.session
import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._aws import quotas
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError

G_SPOT = "L-3819A6DF"
G_ON_DEMAND = "L-DB2E81BA"
STANDARD_SPOT = "L-34B43A08"


def client(service="service-quotas"):
    return botocore.session.get_session().create_client(service, region_name="us-west-2")


def quota(code, value):
    return {"ServiceCode": "ec2", "QuotaCode": code, "Value": value}


def test_few_quotas_are_asked_for_one_by_one(recorder):
    values = {G_SPOT: 16.0, G_ON_DEMAND: 0.0}
    recorder.answer(
        "service-quotas",
        "GetServiceQuota",
        lambda params, _region: {"Quota": quota(params["QuotaCode"], values[params["QuotaCode"]])},
    )
    assert quotas.vcpu_quotas(client(), [G_SPOT, G_ON_DEMAND]) == {G_SPOT: Decimal(16), G_ON_DEMAND: Decimal(0)}
    assert [call.params["ServiceCode"] for call in recorder.calls] == ["ec2", "ec2"]


def test_a_quota_that_the_region_lacks_is_missing(recorder, aws_error):
    recorder.answer("service-quotas", "GetServiceQuota", aws_error("NoSuchResourceException"))
    assert quotas.vcpu_quotas(client(), [G_SPOT]) == {}


def test_a_refusal_keeps_its_code(recorder, aws_error):
    recorder.answer("service-quotas", "GetServiceQuota", aws_error("AccessDeniedException"))
    recorder.answer("service-quotas", "ListServiceQuotas", aws_error("TooManyRequestsException"))
    with pytest.raises(AwsError) as denied:
        quotas.vcpu_quotas(client(), [G_SPOT])
    assert denied.value.denied
    with pytest.raises(AwsError) as throttled:
        quotas.vcpu_quotas(client(), [G_SPOT, G_ON_DEMAND, STANDARD_SPOT])
    assert throttled.value.throttled


def test_many_quotas_are_one_listing(recorder):
    pages = {
        None: {"Quotas": [quota(G_SPOT, 16.0), quota("L-0263D0A3", 5.0)], "NextToken": "2"},
        "2": {"Quotas": [quota(STANDARD_SPOT, 1152.0)]},
    }
    recorder.answer("service-quotas", "ListServiceQuotas", lambda params, _region: pages[params.get("NextToken")])
    found = quotas.vcpu_quotas(client(), [G_SPOT, G_ON_DEMAND, STANDARD_SPOT])
    assert found == {G_SPOT: Decimal(16), STANDARD_SPOT: Decimal(1152)}
    assert [(call.operation, call.params["MaxResults"]) for call in recorder.calls] == [("ListServiceQuotas", 100)] * 2


def test_no_quota_is_no_call(recorder):
    assert quotas.vcpu_quotas(client(), []) == {}
    assert recorder.calls == []


def instance(name, instance_type, cores=2, threads=2, lifecycle=None):
    return {
        "InstanceId": name,
        "InstanceType": instance_type,
        **({"CpuOptions": {"CoreCount": cores, "ThreadsPerCore": threads}} if cores else {}),
        **({"InstanceLifecycle": lifecycle} if lifecycle else {}),
    }


def request(instance_type, instance_id=None):
    return {
        "State": "active" if instance_id else "open",
        "LaunchSpecification": {"InstanceType": instance_type},
        **({"InstanceId": instance_id} if instance_id else {}),
    }


@pytest.fixture
def region(recorder):
    """A region with the given instances, in two pages, and spot requests."""

    def make(instances, requests=()):
        half = len(instances) // 2
        pages = {
            None: {"Reservations": [{"Instances": instances[:half]}], "NextToken": "2"},
            "2": {"Reservations": [{"Instances": [each]} for each in instances[half:]]},
        }
        recorder.answer("ec2", "DescribeInstances", lambda params, _region: pages[params.get("NextToken")])
        recorder.answer("ec2", "DescribeSpotInstanceRequests", {"SpotInstanceRequests": list(requests)})
        sizes = {"g5.xlarge": 4, "g5.metal": 96, "m5.xlarge": 4}
        recorder.answer(
            "ec2",
            "DescribeInstanceTypes",
            lambda params, _region: {
                "InstanceTypes": [
                    {"InstanceType": name, "VCpuInfo": {"DefaultVCpus": sizes[name]}}
                    for name in params["Filters"][0]["Values"]
                    if name in sizes
                ]
            },
        )
        return quotas.vcpus_in_use(client("ec2"))

    return make


def test_vcpus_by_family_and_market(region, recorder):
    assert region(
        [
            instance("i-1", "g5.xlarge", lifecycle="spot"),
            # Hyper-threading off.
            instance("i-2", "g6.xlarge", threads=1, lifecycle="spot"),
            instance("i-3", "g5.xlarge"),
            instance("i-4", "m5.large", cores=1),
            instance("i-5", "mac2.metal", cores=8, threads=1),
            instance("i-6", "p5.48xlarge", cores=96, lifecycle="capacity-block"),
            instance("i-7", "m5.large", cores=1, lifecycle="scheduled"),
        ]
    ) == {
        ("G and VT", "spot"): 6,
        ("G and VT", "on_demand"): 4,
        ("Standard", "on_demand"): 4,
        ("unknown", "on_demand"): 8,
    }
    assert [call.operation for call in recorder.calls] == [
        "DescribeInstances",
        "DescribeInstances",
        "DescribeSpotInstanceRequests",
    ]
    assert recorder.calls[0].params["Filters"] == [
        {"Name": "instance-state-name", "Values": ["pending", "running"]},
    ]
    assert recorder.calls[2].params["Filters"] == [{"Name": "state", "Values": ["open", "active"]}]


def test_requests_without_a_running_instance_count(region, recorder):
    """Open ones, and active ones whose instance has ended (EC2 user guide, "Spot Instance quotas")."""
    assert region(
        [instance("i-1", "g5.xlarge", lifecycle="spot")],
        [
            request("g5.xlarge", "i-1"),
            request("g5.xlarge", "i-gone"),
            request("m5.xlarge"),
            request("m5.xlarge"),
            request("q9.large"),
            {"State": "open"},
        ],
    ) == {("G and VT", "spot"): 8, ("Standard", "spot"): 8, ("unknown", "spot"): 0}
    assert recorder.calls[-1].params["Filters"][0]["Values"] == ["g5.xlarge", "m5.xlarge", "q9.large"]


def test_an_instance_without_cpu_options_has_its_type_s_vcpus(region):
    assert region([instance("i-1", "g5.metal", cores=None)]) == {("G and VT", "on_demand"): 96}


def test_nothing_runs(region, recorder):
    assert region([]) == {}
    assert "DescribeInstanceTypes" not in [call.operation for call in recorder.calls]


def test_a_denied_reading_keeps_its_code(region, recorder, aws_error):
    recorder.answer("ec2", "DescribeInstances", aws_error("UnauthorizedOperation"))
    with pytest.raises(AwsError) as denied:
        quotas.vcpus_in_use(client("ec2"))
    assert denied.value.denied


def test_vcpus_of_types(aws):
    found = quotas.type_vcpus(client("ec2"), {"g5.xlarge", "m5.24xlarge", "q9.large"})
    assert found == {"g5.xlarge": 4, "m5.24xlarge": 96}
    assert quotas.type_vcpus(client("ec2"), []) == {}
