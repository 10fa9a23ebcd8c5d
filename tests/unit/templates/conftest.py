# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from cfn_templates import FILES
from cfn_templates import Template


@pytest.fixture(params=sorted(FILES))
def template(request: pytest.FixtureRequest) -> Template:
    """Each template in turn."""
    return Template(request.param)


@pytest.fixture
def load() -> type[Template]:
    """load(name): one template by name."""
    return Template
