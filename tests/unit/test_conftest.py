# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The helpers of conftest.py do what the other tests rely on."""

from __future__ import annotations

from types import ModuleType

import botocore.session
import pytest
from ansible.module_utils.common.warnings import warn
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from botocore.exceptions import ClientError
from botocore.exceptions import ParamValidationError


def make_module(action):
    def main():
        module = AnsibleAWSModule(argument_spec={"name": {"type": "str"}}, supports_check_mode=True)
        module.exit_json(**action(module))

    python_module = ModuleType("example")
    python_module.main = main
    return python_module


def client(service, region="us-east-1"):
    return botocore.session.Session().create_client(service, region_name=region)


def test_a_module_runs_with_its_arguments_and_its_calls_are_recorded(aws, run_module, mutating):
    def action(module):
        client = module.client("ssm")
        if not module.check_mode:
            client.put_parameter(Name=module.params["name"], Value="1", Type="String")
        return {"changed": True, "diff_wanted": module._diff, "names": client.describe_parameters()["Parameters"]}

    result = run_module(make_module(action), {"name": "/example"}, diff=True)
    assert (result.failed, result.changed, result["diff_wanted"]) == (False, True, True)
    assert result.operations("ssm") == ["PutParameter", "DescribeParameters"]
    assert [tuple(call) for call in mutating(result.calls)] == [
        ("ssm", "PutParameter", {"Name": "/example", "Value": "1", "Type": "String"})
    ]
    assert result.calls[0].region == "us-east-1"

    result = run_module(make_module(action), {"name": "/other"}, check_mode=True)
    assert result.operations() == ["DescribeParameters"]
    assert result.mutating == []


def test_a_failure_and_warnings_come_back_as_plain_text(run_module):
    def action(module):
        warn("mind the gap")
        module.fail_json(msg="no", option="name")

    result = run_module(make_module(action), {})
    assert (result.failed, result["msg"], result["warnings"]) == (True, "no", ["mind the gap"])
    assert "warnings" not in run_module(make_module(lambda module: {"changed": False}), {})


def test_answers_replace_the_call_and_must_fit_the_model(recorder, aws_error):
    recorder.answer(
        "ec2", "GetSpotPlacementScores", lambda params, region: {"SpotPlacementScores": [{"Region": region}]}
    )
    answer = client("ec2", "eu-west-1").get_spot_placement_scores(TargetCapacity=1)
    assert answer["SpotPlacementScores"] == [{"Region": "eu-west-1"}]

    recorder.answer("ec2", "GetSpotPlacementScores", {"Scores": []})
    with pytest.raises(ParamValidationError):
        client("ec2").get_spot_placement_scores(TargetCapacity=1)

    recorder.answer("ec2", "GetSpotPlacementScores", aws_error("MaxConfigLimitExceeded"))
    with pytest.raises(ClientError) as caught:
        client("ec2").get_spot_placement_scores(TargetCapacity=1)
    assert caught.value.response["Error"]["Code"] == "MaxConfigLimitExceeded"


def test_nothing_leaves_the_process():
    with pytest.raises(AssertionError, match="reach the network"):
        client("ssm").describe_parameters()
