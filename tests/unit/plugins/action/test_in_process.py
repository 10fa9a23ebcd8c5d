# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module of ours that runs in the controller's process answers as it does in its own; when it may not, it does not."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible import constants
from ansible.module_utils import _internal
from ansible.module_utils import basic
from ansible.module_utils.common import warnings

from ansible_collections.ethereal.spot.plugins.plugin_utils import in_process

ROOT = Path(in_process.__file__).parents[2]
COLLECTIONS = Path(in_process.__file__).parents[5]
DENIED = b"""<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not for you</Message></Error>
<RequestId>11112222-3333-4444-5555-666677778888</RequestId></ErrorResponse>"""


@pytest.fixture
def denying():
    """An address that denies every call, and the regions of the calls that it saw."""
    regions = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            regions.append(self.headers["Authorization"].split("/")[2])
            self.send_response(403)
            self.send_header("Content-Length", str(len(DENIED)))
            self.end_headers()
            self.wfile.write(DENIED)

        def log_message(self, *_arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}", regions=regions)
    server.shutdown()
    server.server_close()


def play(folder: Path, tasks: list[dict[str, Any]], **settings: Any) -> tuple[list[dict[str, Any]], int]:
    """The results of a play's tasks on this machine, and how many Python processes were started for them."""
    book = {
        "hosts": "localhost",
        "gather_facts": False,
        "connection": "local",
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "tasks": [{"ignore_errors": True, **task} for task in tasks],
        **settings,
    }
    (folder / "play.yml").write_text(json.dumps([book]))
    # Every Python that starts runs this file.
    started = folder / "started"
    (folder / "sitecustomize.py").write_text(f"import os\nopen({str(started)!r}, 'a').write('x')\n")
    started.write_text("")
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", folder / "play.yml"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "ANSIBLE_HOME": str(folder),
            "PYTHONPATH": str(folder),
            "AWS_REGION": "sa-east-1",
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "example",
        },
    )
    found = json.loads(done.stdout)["plays"][0]["tasks"]
    return [task["hosts"]["localhost"] for task in found], len(started.read_text()) - 1


def test_answers_as_in_a_process_of_its_own(tmp_path, denying):
    """Refused input, hidden values, an error of AWS, check mode, and the environment of each item of a loop."""
    tasks = [
        # A user's script stays hidden, also where another option has the wrong type.
        {"ethereal.spot.spot_asg": {"name": "train", "bootstrap_script": "hush-1", "scaling_policies": ["x"]}},
        {
            "ethereal.spot.spot_asg": {
                "name": "train",
                "region": "us-east-1",
                "bootstrap_script": "hush-2",
                "min_size": -1,
            }
        },
        {
            "ethereal.spot.spot_fleet_info": {"names": ["train"]},
            "environment": {"AWS_REGION": "{{ item }}", "AWS_ENDPOINT_URL": denying.url},
            "loop": ["eu-west-1", "us-west-2"],
        },
        {"ethereal.spot.spot_fleet_info": {"names": ["train"]}, "environment": {"AWS_ENDPOINT_URL": denying.url}},
        {
            "ethereal.spot.spot_asg": {
                "name": "train",
                "region": "us-east-1",
                "state": "absent",
                "endpoint_url": denying.url,
            },
            "check_mode": True,
        },
    ]
    here, processes_here = play(tmp_path, tasks)
    regions_here = list(denying.regions)
    denying.regions.clear()
    there, processes_there = play(
        tmp_path,
        tasks,
        vars={"ansible_python_interpreter": "{{ ansible_playbook_python }}", in_process.SWITCH: False},
    )
    assert here == there
    assert regions_here == denying.regions
    assert (processes_here, processes_there) == (0, 6)
    # An environment is that of its item or task.
    assert regions_here == ["eu-west-1", "us-west-2", "sa-east-1", "us-east-1"]
    assert "hush" not in json.dumps(here)
    looped = here[2]["results"]
    assert all("AccessDenied" in item["msg"] and "11112222-3333" in json.dumps(item) for item in looped)


def test_module_defaults_and_credentials_reach_the_module(tmp_path, denying):
    defaults = {"group/ethereal.spot.spot": {"region": "ap-south-1", "endpoint_url": denying.url}}
    (result,), processes = play(
        tmp_path, [{"ethereal.spot.spot_fleet_info": {"names": ["train"]}}], module_defaults=defaults
    )
    assert (set(denying.regions), processes) == ({"ap-south-1"}, 0)
    assert "AccessDenied" in result["msg"]


def test_a_task_with_a_timeout_runs_in_a_process_that_can_be_ended(tmp_path, denying):
    task = {"ethereal.spot.spot_fleet_info": {"names": ["train"], "region": "us-east-1", "endpoint_url": denying.url}}
    assert play(tmp_path, [task])[1] == 0
    assert play(tmp_path, [{**task, "timeout": 60}])[1] == 1


class Same(in_process.InProcessAction):
    """With all that Ansible would hand it."""

    def __init__(self, **task: Any) -> None:
        self._task = SimpleNamespace(delegate_to=None, async_val=0, timeout=0, **task)
        self._connection = SimpleNamespace(transport="local", become=None)
        self._templar = SimpleNamespace(template=lambda value: value)


@pytest.mark.parametrize(
    ("change", "variables", "same"),
    [
        (None, {}, True),
        (("_connection", "transport", "ssh"), {}, False),
        (("_connection", "become", object()), {}, False),
        (("_task", "delegate_to", "elsewhere"), {}, False),
        (("_task", "async_val", 60), {}, False),
        (("_task", "timeout", 60), {}, False),
        (None, {"ansible_python_interpreter": "/usr/bin/python3.99"}, False),
        (None, {"ansible_python_interpreter": None}, False),
        (None, {in_process.SWITCH: "no"}, False),
        (None, {in_process.SWITCH: "yes"}, True),
    ],
)
def test_where_it_comes_to_the_same(monkeypatch, change, variables, same):
    monkeypatch.setattr(sys, "platform", "linux")
    action = Same()
    if change:
        owner, name, value = change
        setattr(getattr(action, owner), name, value)
    assert action._comes_to_the_same({"ansible_python_interpreter": sys.executable, **variables}) is same


@pytest.mark.parametrize(
    ("owner", "name", "value"), [(sys, "platform", "darwin"), (constants, "DEFAULT_KEEP_REMOTE_FILES", True)]
)
def test_where_it_never_does(monkeypatch, owner, name, value):
    monkeypatch.setattr(owner, name, value)
    assert Same()._comes_to_the_same({"ansible_python_interpreter": sys.executable}) is False


def test_a_module_that_breaks_leaves_nothing_behind(monkeypatch, tmp_path):
    monkeypatch.setenv("KEPT", "1")

    def surroundings():
        return dict(os.environ), Path.cwd(), sys.stdout, basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE

    before = surroundings()
    with (
        pytest.raises(ZeroDivisionError),
        in_process.handed(b"{}", {"AWS_REGION": "eu-west-1", "KEPT": "2"}, str(tmp_path)) as printed,
    ):
        assert (os.environ["AWS_REGION"], os.environ["KEPT"], Path.cwd()) == ("eu-west-1", "2", tmp_path)
        print("said")
        os.environ["MADE"] = "by the module"
        raise ZeroDivisionError
    assert surroundings() == before
    assert printed.getvalue() == "said\n"


def test_warnings_belong_to_the_result_of_the_one_module(monkeypatch, tmp_path):
    monkeypatch.setattr(_internal, "is_controller", True)
    for text in ("first", "second"):
        with in_process.handed(b"{}", {}, str(tmp_path)):
            warnings.warn(text)
            assert warnings.get_warning_messages() == (text,)
    assert (_internal.is_controller, warnings.get_warnings()) == (True, [])


def test_every_module_with_clients_has_its_action():
    group = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"]["spot"]
    modules = {name for name in group if isinstance(name, str)}
    actions = {path.stem for path in (ROOT / "plugins/action").glob("*.py") if "InProcessAction" in path.read_text()}
    assert actions == modules
