# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The policies that docs/policies offers: what fits into a managed policy. What they grant is for the end-to-end tests."""

from __future__ import annotations

import json
import pathlib

import pytest

POLICIES = pathlib.Path(__file__).resolve().parents[2] / "docs/policies"
# IAM counts no white space (IAM user guide, "IAM and AWS STS quotas").
LIMIT = 6144


@pytest.mark.parametrize("path", sorted(POLICIES.rglob("*.json")), ids=lambda path: path.stem)
def test_each_is_one_managed_policy(path):
    text = path.read_text()
    assert len("".join(text.split())) <= LIMIT
    sids = [statement["Sid"] for statement in json.loads(text)["Statement"]]
    assert len(set(sids)) == len(sids)
    assert all(sid.isalnum() for sid in sids)
