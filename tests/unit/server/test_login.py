"""Tests of autotest.server.hosts.login, as far as they need no wire."""

from __future__ import annotations

import pytest

from autotest import errors
from autotest.host_info import HostInfo
from autotest.server.hosts import login


@pytest.mark.parametrize("attribute", ["port", "bastion_port"])
@pytest.mark.parametrize("text", ["abc", "0", "65536", "-1", "22 "])
def test_a_port_that_is_none_is_refused_by_host(attribute, text):
    info = HostInfo("h1", attributes={"bastion": "127.0.0.1", attribute: text})
    with pytest.raises(errors.ConfigError, match=f"h1: {attribute} "):
        login.log_in(info, 1)


def test_without_a_port_it_is_22():
    assert login.port_of(HostInfo("h1"), "bastion_port") == 22
