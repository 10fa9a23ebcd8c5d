# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from decimal import Decimal

import botocore.session
import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.unit_prices import ENDPOINTS
from ansible_collections.ethereal.spot.plugins.module_utils._aws.unit_prices import NAT_GATEWAYS
from ansible_collections.ethereal.spot.plugins.module_utils._aws.unit_prices import VOLUMES
from ansible_collections.ethereal.spot.plugins.module_utils._aws.unit_prices import unit_prices

REGIONS = ["us-east-1", "eu-west-1"]


def client():
    return botocore.session.get_session().create_client("pricing", region_name="us-east-1")


def product(region, usage_type, unit, amount):
    rate = {"unit": unit, "pricePerUnit": {"USD": amount}}
    return json.dumps(
        {
            "product": {"attributes": {"regionCode": region, "usagetype": usage_type}},
            "terms": {"OnDemand": {"t": {"priceDimensions": {"d": rate}}}},
        }
    )


def answer(recorder, *entries):
    recorder.answer("pricing", "GetProducts", {"PriceList": list(entries)})


def test_a_volume_s_three_prices_are_one_listing(recorder):
    answer(
        recorder,
        product("us-east-1", "EBS:VolumeUsage.gp3", "GB-Mo", "0.0800000000"),
        product("us-east-1", "EBS:VolumeP-IOPS.gp3", "IOPS-Mo", "0.0050000000"),
        product("us-east-1", "EBS:VolumeP-Throughput.gp3", "GiBps-mo", "40.9600000000"),
        product("eu-west-1", "EU-EBS:VolumeUsage.gp3", "GB-Mo", "0.0880000000"),
    )
    assert unit_prices(client(), VOLUMES, REGIONS) == {
        "us-east-1": {
            "gp3_gib_month": Decimal("0.08"),
            "gp3_iops_month": Decimal("0.005"),
            "gp3_mibps_month": Decimal("0.04"),
        },
        "eu-west-1": {"gp3_gib_month": Decimal("0.088")},
    }
    [call] = recorder.calls
    assert call.params["ServiceCode"] == "AmazonEC2"
    assert {each["Field"]: (each["Type"], each["Value"]) for each in call.params["Filters"]} == {
        "regionCode": ("ANY_OF", "eu-west-1,us-east-1"),
        "locationType": ("TERM_MATCH", "AWS Region"),
        "volumeApiName": ("TERM_MATCH", "gp3"),
    }


@pytest.mark.parametrize(
    ("listing", "usage_type", "others", "unit"),
    [
        (ENDPOINTS, "VpcEndpoint-Hours", ["VpcEndpoint-Bytes", "VpcEndpoint-GWLBE-Hours"], "endpoint_hour"),
        (NAT_GATEWAYS, "NatGateway-Hours", ["NatGateway-Bytes", "RegionalNatGateway-Hours"], "nat_gateway_hour"),
    ],
)
def test_other_products_of_a_family_do_not_count(recorder, listing, usage_type, others, unit):
    answer(
        recorder,
        *(product("eu-west-1", f"EU-{other}", "Hrs", "9") for other in others),
        product("eu-west-1", f"EU-{usage_type}", "GB", "8"),
        product("eu-west-1", f"EU-{usage_type}", "Hrs", "0.0110000000"),
        # A price of nothing is no price.
        product("us-east-1", usage_type, "Hrs", "0.0000000000"),
    )
    assert unit_prices(client(), listing, REGIONS) == {"us-east-1": {}, "eu-west-1": {unit: Decimal("0.011")}}


def test_of_two_products_the_dearer_one_counts(recorder):
    entries = [product("us-east-1", "VpcEndpoint-Hours", "Hrs", amount) for amount in ("0.02", "0.01")]
    answer(recorder, *entries)
    assert unit_prices(client(), ENDPOINTS, ["us-east-1"])["us-east-1"]["endpoint_hour"] == Decimal("0.02")


@pytest.mark.parametrize("entry", ["{", "{}", product("us-east-1", "VpcEndpoint-Hours", "Hrs", "cheap")])
def test_answers_that_are_not_as_documented(recorder, entry):
    answer(recorder, entry)
    with pytest.raises(AwsError) as failure:
        unit_prices(client(), ENDPOINTS, ["us-east-1"])
    assert failure.value.code == "UnreadableAnswer"


def test_refusals_keep_their_code(recorder, aws_error):
    recorder.answer("pricing", "GetProducts", aws_error("AccessDeniedException"))
    with pytest.raises(AwsError) as failure:
        unit_prices(client(), ENDPOINTS, ["us-east-1"])
    assert (failure.value.code, failure.value.denied) == ("AccessDeniedException", True)
