# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC
from datetime import datetime
from datetime import timedelta

import botocore.session
import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.price_history import price_history

END = datetime(2026, 3, 1, tzinfo=UTC)
START = END - timedelta(days=30)


def client():
    return botocore.session.get_session().create_client("ec2", region_name="us-west-2")


def change(zone, price, since, **more):
    return {
        "AvailabilityZone": zone,
        "InstanceType": "g5.xlarge",
        "ProductDescription": "Linux/UNIX",
        "SpotPrice": price,
        "Timestamp": since,
        **more,
    }


def test_every_page_is_read_and_a_short_one_is_not_the_last(recorder):
    pages = {
        None: {"SpotPriceHistory": [], "NextToken": "2"},
        "2": {
            "SpotPriceHistory": [change("us-west-2a", "0.400100", END, AvailabilityZoneId="usw2-az1")],
            "NextToken": "3",
        },
        # The last page's token is empty (boto3 issue 130).
        "3": {"SpotPriceHistory": [change("us-west-2b", "0.300000", START)], "NextToken": ""},
    }
    recorder.answer("ec2", "DescribeSpotPriceHistory", lambda params, region: pages[params.get("NextToken")])
    records = price_history(client(), ("g5.xlarge",), ("Linux/UNIX", "Linux/UNIX (Amazon VPC)"), START, END)
    assert records == [
        {
            "zone": "us-west-2a",
            "zone_id": "usw2-az1",
            "instance_type": "g5.xlarge",
            "product": "Linux/UNIX",
            "price": "0.400100",
            "since": END,
        },
        {
            "zone": "us-west-2b",
            "zone_id": None,
            "instance_type": "g5.xlarge",
            "product": "Linux/UNIX",
            "price": "0.300000",
            "since": START,
        },
    ]
    assert recorder.calls[0].params == {
        "InstanceTypes": ["g5.xlarge"],
        "ProductDescriptions": ["Linux/UNIX", "Linux/UNIX (Amazon VPC)"],
        "StartTime": START,
        "EndTime": END,
    }
    assert len(recorder.calls) == 3


def test_without_an_end_the_clock_is_that_of_ec2(recorder):
    recorder.answer("ec2", "DescribeSpotPriceHistory", {"SpotPriceHistory": []})
    assert price_history(client(), ["g5.xlarge"], ["Linux/UNIX"], START) == []
    assert set(recorder.calls[0].params) == {"InstanceTypes", "ProductDescriptions", "StartTime"}


def test_a_refusal_keeps_its_code(recorder, aws_error):
    recorder.answer("ec2", "DescribeSpotPriceHistory", aws_error("UnauthorizedOperation"))
    with pytest.raises(AwsError) as refused:
        price_history(client(), ["g5.xlarge"], ["Linux/UNIX"], START, END)
    assert refused.value.code == "UnauthorizedOperation"
