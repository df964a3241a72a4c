"""HostInfo travels as JSON and comes back equal; anything else is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest.errors import ValidationError
from autotest.host_info import HostInfo, natural_order

HOSTS = st.builds(
    HostInfo,
    hostname=st.text(),
    labels=st.frozensets(st.text()),
    attributes=st.dictionaries(st.text(), st.text()),
    platform=st.none() | st.text(),
    protection=st.integers(0, 4),
)


@given(HOSTS)
def test_from_json_is_the_inverse_of_to_json(host):
    assert HostInfo.from_json(json.loads(json.dumps(host.to_json()))) == host


def test_only_the_hostname_is_needed():
    assert HostInfo.from_json({"hostname": "rack1-h3"}) == HostInfo("rack1-h3")


@pytest.mark.parametrize("data", [[], "rack1-h3", None, {}, {"hostname": 3}, {"hostname": "a", "colour": "red"}])
def test_anything_else_is_refused(data):
    with pytest.raises(ValidationError, match="HostInfo"):
        HostInfo.from_json(data)


def test_the_board_is_a_label():
    assert HostInfo("a", frozenset({"board:pi4", "servo"})).board == "pi4"
    assert HostInfo("a", frozenset({"boardroom"})).board == ""


def test_a_label_value_may_hold_colons():
    assert HostInfo("a", frozenset({"pool:b:c", "pool:d"})).label_value("pool") == "b:c"


def test_an_absent_attribute_has_a_default():
    host = HostInfo("a", attributes={"port": "2222"})
    assert (host.get("port", "22"), host.get("user", "root"), host.get("power")) == ("2222", "root", "")


def test_hosts_sort_as_people_count():
    assert sorted(["rack-10", "rack-9", "rack", "RACK-1"], key=natural_order) == ["rack", "RACK-1", "rack-9", "rack-10"]
